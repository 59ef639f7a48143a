# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulator for all tests of the API modules, without HAProxy and with refreshes that take no time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.launcher import Running, running
from unit.plugins.modules.harness import Service, hasten


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
