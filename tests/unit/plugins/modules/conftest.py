# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulator for all tests of the API modules, without HAProxy and with refreshes that take no time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible.module_utils.common import warnings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import api as _api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import executor as _executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import refresher as _refresher

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
    monkeypatch.setattr(_executor, "LOOK_AGAIN_SECONDS", (0.01,))
    monkeypatch.setattr(_api, "BACKOFF_SECONDS", 0.01)
    # A module's process starts without warnings, and is not a controller's as this one is once a plugin was imported.
    monkeypatch.setattr(warnings, "_global_warnings", type(warnings._global_warnings)())
    with contextlib.suppress(ImportError):
        monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    simulator.reset()
    return Service(simulator)
