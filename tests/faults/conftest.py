# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator of the modules' unit tests, and a count of how the cells of the matrix ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.story import converge, prepare, state
from simulator.launcher import Running, running
from unit.plugins.modules.harness import Service, Values, hasten

_kept: Values = {}


@pytest.fixture(scope="session")
def simulator() -> Iterator[Running]:
    with running("--no-haproxy", "--time-scale", "0.001") as started:
        yield started


@pytest.fixture
def service(simulator: Running, monkeypatch: pytest.MonkeyPatch) -> Service:
    """An empty service."""
    hasten(monkeypatch)
    simulator.reset()
    return Service(simulator)


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that the runs of a test share, as those of a user do."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def wanted(service: Service) -> Values:
    """What the converge leads to when nothing disturbs it."""
    if not _kept:
        prepare(service)
        result = converge(service)
        assert not result.get("failed"), result
        _kept.update(state(service))
    return _kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    outcomes = Counter(str(value) for report in passed for name, value in report.user_properties if name == "outcome")
    if outcomes:
        listed = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())
        terminalreporter.write_line(f"{outcomes.total()} cells ended well: {listed}")
