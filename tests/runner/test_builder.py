# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The execution environment, as far as ansible-builder goes without a container engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from runner.conftest import COLLECTIONS, ROOT


def test_the_execution_environment_has_what_the_collection_needs(programs: Path) -> None:
    command = [str(programs / "ansible-builder"), "introspect", COLLECTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = yaml.safe_load(done.stdout)
    names = [requirement.split(">")[0] for requirement in found["python"] if "mailops.ovh_iplb" in requirement]
    assert names == ["ovh", "paramiko"]
    # What has the profile "test" in bindep.txt stays out.
    system = [line.split()[0] for line in found["system"] if " test]" not in line]
    assert system == ["openssh-client", "openssh-clients"]


def test_the_execution_environment_can_be_created(programs: Path, tmp_path: Path) -> None:
    definition = ROOT / "execution-environment.yml"
    command = [str(programs / "ansible-builder"), "create", "--file", str(definition), "--context", str(tmp_path)]
    command += ["--output-filename", "Containerfile"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ansible-galaxy collection install" in (tmp_path / "Containerfile").read_text()
    requirements = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text())
    assert [item["name"] for item in requirements["collections"]] == ["mailops.ovh_iplb"]
