# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulator for all tests of the API modules, without HAProxy and with refreshes that take no time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils import _api, _refresher

from simulator.launcher import Running, running
from unit.plugins.modules.harness import Service


@pytest.fixture(scope="session")
def simulator() -> Iterator[Running]:
    with running("--no-haproxy", "--time-scale", "0.001") as started:
        yield started


@pytest.fixture
def service(simulator: Running, monkeypatch: pytest.MonkeyPatch) -> Service:
    """An empty service; pauses between two looks or attempts are as short as its refreshes."""
    monkeypatch.setattr(_refresher, "POLL_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(_api, "BACKOFF_SECONDS", 0.01)
    simulator.reset()
    return Service(simulator)
