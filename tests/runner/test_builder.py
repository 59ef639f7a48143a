# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The execution environment, as far as ansible-builder goes without a container engine."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from runner.conftest import COLLECTIONS, ROOT

DEFINITION = ROOT / "execution-environment.yml"
# Until when a base image has security updates, as its makers say. ansible-builder takes images with dnf only.
END_OF_LIFE = {
    "quay.io/rockylinux/rockylinux:10": "2035-05-31",  # https://wiki.rockylinux.org/rocky/version/
}


def definition() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())
    return read


def test_jobs_run_on_an_image_that_still_gets_security_updates() -> None:
    image = definition()["images"]["base_image"]["name"]
    assert image in END_OF_LIFE, f"until when does {image} get security updates?"
    assert datetime.now(UTC).date().isoformat() <= END_OF_LIFE[image], f"{image} is out of support: take another"
    assert END_OF_LIFE[image] in DEFINITION.read_text(), "the definition says so too"


@pytest.mark.parametrize("version", ["2.18.0", "2.19.14", "2.21.5"])
def test_jobs_run_on_each_ansible_core_that_the_image_has_a_python_for(version: str) -> None:
    requirement = Requirement(definition()["dependencies"]["ansible_core"]["package_pip"])
    assert version in requirement.specifier


def test_the_execution_environment_has_what_the_collection_needs(programs: Path) -> None:
    command = [str(programs / "ansible-builder"), "introspect", COLLECTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = yaml.safe_load(done.stdout)
    names = [requirement.split(">")[0] for requirement in found["python"] if "mailops.ovh_iplb" in requirement]
    assert names == ["cryptography", "ovh", "paramiko"]
    # What has the profile "test" in bindep.txt stays out.
    system = [line.split()[0] for line in found["system"] if " test]" not in line]
    assert system == ["openssh-client", "openssh-clients"]


def test_the_execution_environment_can_be_created(programs: Path, tmp_path: Path) -> None:
    command = [str(programs / "ansible-builder"), "create", "--file", str(DEFINITION), "--context", str(tmp_path)]
    command += ["--output-filename", "Containerfile"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ansible-galaxy collection install" in (tmp_path / "Containerfile").read_text()
    requirements = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text())
    assert [item["name"] for item in requirements["collections"]] == ["mailops.ovh_iplb"]
