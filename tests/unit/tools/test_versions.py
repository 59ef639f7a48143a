# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is promised of versions, wherever it is written, is what the tests run on."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS
from packaging.specifiers import SpecifierSet

from tools.versions import CANDIDATE, CORES, FLOOR, LATEST, MODULE_FLOOR, NEWEST, NOT_RUN, promise

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
THIS = version("ansible-core")


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def matching(specifiers: str) -> list[str]:
    """The release lines that a requirement lets in, among those of the table and what comes before and after it."""
    allowed = SpecifierSet(specifiers)
    lines = ["2.15", *(core.name for core in (*CORES, CANDIDATE)), "2.23"]
    return [line for line in lines if allowed.contains(f"{line}.99")]


def test_the_readme_promises_each_release_with_the_pythons_that_are_run() -> None:
    rows = re.findall(r"^\| 2\.\d+ \|.*\|$", README, re.MULTILINE)
    assert rows == [promise(core) for core in CORES]


def test_the_readme_says_what_is_not_run() -> None:
    assert all(f"Python {python} is not promised" in README for python in NOT_RUN)
    assert f"ansible-core {CANDIDATE.name}" in README


def test_the_floors_are_the_same_everywhere() -> None:
    assert f"- ansible-core {FLOOR.name} or later" in README
    assert f"Python {MODULE_FLOOR} or later" in README
    assert matching(load("meta/runtime.yml")["requires_ansible"])[0] == FLOOR.name
    assert load("meta/runtime.yml")["requires_ansible"] == f">={FLOOR.name}.0"
    assert load("tests/config.yml")["modules"]["python_requires"] == f">={MODULE_FLOOR}"
    assert f'target-version = "py{MODULE_FLOOR.replace(".", "")}"' in (ROOT / "pyproject.toml").read_text()


def test_the_execution_environment_has_a_supported_ansible_core() -> None:
    requirement = load("execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"]
    lines = matching(requirement.removeprefix("ansible-core"))
    assert lines[-1] == NEWEST.name
    assert set(lines) <= {core.name for core in CORES}


def test_the_table_is_ansible_cores_own() -> None:
    (core,) = (core for core in (*CORES, CANDIDATE) if THIS.startswith(f"{core.name}."))
    first, last = (int(python.partition(".")[2]) for python in (MODULE_FLOOR, LATEST))
    span = {f"3.{minor}" for minor in range(first, last + 1)}
    everything = (*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS)
    assert core.controllers == tuple(python for python in CONTROLLER_PYTHON_VERSIONS if python in span)
    assert core.modules == tuple(python for python in everything if python in span)
