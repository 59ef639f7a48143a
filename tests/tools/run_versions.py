# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the tests on each ansible-core of tools.versions with each Python that this machine has, and print a table.

Usage: python -m tools.run_versions [--quick] [--suite SUITE] [--jobs N] [--upgrade] [CORE ...]

A row of the table is one ansible-core with one Python. Where ansible-core runs on that Python, so do its sanity tests
(once, for all Pythons), the unit tests and the playbooks of the integration targets. Where it only runs modules with
it, the unit tests of modules and their utilities run, and the integration targets run their modules with it.

--quick runs the unit tests and the main integration targets on the oldest and the newest supported ansible-core.
What this machine can not run is named in lines that begin with "SKIPPED". The exit status is 0 if nothing failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.checkout import COLLECTION, ROOT
from tools.environments import available, environment, find_python, module_utils, search_path
from tools.versions import CANDIDATE, CORES, FLOOR, MODULE_FLOOR, NEWEST, Core

MAIN_TARGETS = ("farm", "frontend", "load_balancer", "refresh", "require_play", "server")
SUITES = ("sanity", "unit", "integration")
UNIT_TESTS = ["tests/unit/plugins", "tests/unit/tools"]
# The report of drift is made by filters, where ansible-core runs.
MODULE_TESTS = [
    "tests/unit/plugins/modules",
    "tests/unit/plugins/module_utils",
    "--ignore=tests/unit/plugins/module_utils/drift",
]


@dataclass
class Row:
    """One ansible-core with one Python; `controller` is the Python that ansible-core itself runs on."""

    core: Core
    python: str
    controller: str
    suites: tuple[str, ...]
    targets: tuple[str, ...] = ()  # all, if none is named
    marker: str = ""
    results: dict[str, str] = field(default_factory=dict)
    failed: bool = False

    @property
    def name(self) -> str:
        return f"ansible-core {self.core.name}, Python {self.python}"

    @property
    def is_controller(self) -> bool:
        return self.python == self.controller


def rows(cores: tuple[Core, ...]) -> Iterator[Row]:
    """Yield what the whole matrix is made of.

    All integration targets run on the newest Python that ansible-core runs on, and those of the oldest and the newest
    ansible-core with the oldest Python that modules run with; the main ones on the others. Unit tests that start
    Postfix, HAProxy or a browser hardly meet ansible-core: they run on the newest alone.
    """
    for core in cores:
        controllers = available(core.controllers)
        for python in core.modules:
            if not controllers or not find_python(python):
                yield Row(core, python, "", ())
                continue
            is_controller = python in controllers
            is_newest = python == controllers[-1]
            suites = SUITES if is_newest else SUITES[1:]
            is_edge = python == MODULE_FLOOR and core in (FLOOR, NEWEST)
            targets = () if is_newest or is_edge else MAIN_TARGETS
            # Programs of Ansible are not there for a Python that runs modules alone.
            marker = "not slow or programs" if is_controller else "not (slow or programs)"
            if is_newest and core == NEWEST:
                marker = ""
            yield Row(core, python, python if is_controller else controllers[0], suites, targets, marker)


def quick_rows() -> Iterator[Row]:
    """Yield the floor on the oldest Python that it runs on, and the newest ansible-core on the newest one."""
    for core, index in ((FLOOR, 0), (NEWEST, -1)):
        controllers = available(core.controllers) or [""]
        python = controllers[index]
        yield Row(core, python, python, SUITES[1:] if python else (), MAIN_TARGETS, "not slow or programs")


def call(command: list[str], **variables: str) -> tuple[bool, str]:
    """Run a program in the checkout; return whether it succeeded, and what it printed."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode == 0, done.stdout


def run_sanity(row: Row, controller: Path) -> tuple[bool, str, str]:
    command = [str(controller), "-m", "tools.run_ansible_test", "--all-pythons", "sanity", "--venv"]
    path = search_path(row.core.modules)
    success, output = call([*command, *row.core.sanity_flags], PYTHONPATH="tests", PATH=path)
    return success, f"{len(re.findall(r'^Running sanity test', output, re.M))} tests", output


def run_unit(row: Row, controller: Path) -> tuple[bool, str, str]:
    """Run the unit tests of the plugins; those of modules and their utilities where ansible-core itself can not run."""
    with TemporaryDirectory(prefix="ovh_iplb-") as name:
        directory = Path(name)
        link = directory / COLLECTION
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT)
        python, folders = controller, UNIT_TESTS
        if not row.is_controller:
            python = environment(row.python)
            folders = MODULE_TESTS
            module_utils(controller, directory)
        # Differences between versions are looked for, so all of them get the same examples.
        options = ["-q", "-rs", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-m", row.marker]
        paths = ["-o", f"pythonpath=tests {directory}"]
        variables = {"PYTHONPATH": str(directory), "HYPOTHESIS_STORAGE_DIRECTORY": str(directory / "hypothesis")}
        success, output = call([str(python), "-m", "pytest", *options, *paths, *folders], **variables)
    counts = re.search(r"^(.*\d+ \w+) in [\d.]+s", output, re.M)
    return success, counts[1].strip("= ") if counts else "did not run", output


def run_integration(row: Row, controller: Path) -> tuple[bool, str, str]:
    options = [] if row.is_controller else ["--modules-python", str(environment(row.python))]
    command = [str(controller), "-m", "tools.run_integration", *options, *row.targets]
    success, output = call(command, PYTHONPATH="tests", PATH=search_path([row.controller]))
    return success, f"{len(re.findall(r'^Running .* integration test role', output, re.M))} targets", output


RUN = {"sanity": run_sanity, "unit": run_unit, "integration": run_integration}


def run(row: Row) -> Row:
    """Run the suites of a row, all of them also after a failure, and say what came of each as it ends."""
    if not row.controller:
        missing = row.python or " or ".join(row.core.controllers)
        print(f"SKIPPED {row.core.requirement}: this machine has no Python {missing}", flush=True)
        return row
    controller = environment(row.controller, row.core)
    for suite in row.suites:
        start = time.monotonic()
        success, summary, output = RUN[suite](row, controller)
        row.results[suite] = summary if success else f"FAILED: {summary}"
        row.failed = row.failed or not success
        if not success:
            print(output, flush=True)
        print(f"{row.name}, {suite}: {row.results[suite]}, {time.monotonic() - start:.0f} s", flush=True)
    return row


def prepare(wanted: list[Row], upgrade: bool) -> None:
    """Make the environments, one after another, before several tests want one."""
    cores = {(row.controller, row.core) for row in wanted if row.controller}
    modules = {(row.python, None) for row in wanted if row.controller and not row.is_controller}
    for python, core in [*cores, *modules]:
        environment(python, core, upgrade)


def releases(row: Row) -> tuple[str, str]:
    """Return the exact releases of ansible-core and Python that ran."""
    core = "from importlib.metadata import version; print(version('ansible-core'))"
    python = "import platform; print(platform.python_version())"
    found = call([str(environment(row.controller, row.core)), "-c", core])[1].strip()
    return found, call([str(find_python(row.python)), "-c", python])[1].strip()


def table(done: list[Row]) -> str:
    lines: list[tuple[str, ...]] = [("ansible-core", "Python", "runs", *SUITES)]
    for row in done:
        if not row.controller:
            lines.append((row.core.name, row.python, "not available", "", "", ""))
            continue
        runs = "ansible-core" if row.is_controller else f"modules, from {row.controller}"
        lines.append((*releases(row), runs, *(row.results.get(suite, "") for suite in SUITES)))
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests on every ansible-core and Python.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--suite", choices=SUITES)
    parser.add_argument("--upgrade", action="store_true", help="use the newest releases, not those installed before")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("cores", nargs="*", metavar="CORE")
    options = parser.parse_args()
    cores = tuple(core for core in (*CORES, CANDIDATE) if core.name in options.cores or not options.cores)
    wanted = list(quick_rows() if options.quick else rows(cores))
    for row in wanted:
        row.suites = tuple(suite for suite in row.suites if options.suite in (None, suite))
    prepare(wanted, options.upgrade)
    with ThreadPoolExecutor(options.jobs) as executor:
        done = list(executor.map(run, wanted))
    print(f"\n{table(done)}")
    return int(any(row.failed for row in done))


if __name__ == "__main__":
    sys.exit(main())
