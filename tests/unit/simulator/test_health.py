# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a server was last checked, told from what HAProxy's statistics show."""

from __future__ import annotations

import pytest

from simulator.balancer import observe
from simulator.health import Checks, Health, Report
from simulator.state import Settings, Simulator
from simulator.switches import Switches

HEADER = "# pxname,svname,status,check_status,check_code,check_duration,last_chk,\n"


@pytest.mark.parametrize(
    ("checks", "last"),
    [
        (Checks(30), None),
        (Checks(30, previous=70), 70),
        (Checks(30, previous=70, seen=100), 100),
        (Checks(30, seen=50), 80),
        (Checks(30, previous=70, seen=130), 70),
    ],
)
def test_last_check_at_100(checks: Checks, last: float | None) -> None:
    assert checks.last(100) == last


def test_a_check_under_way_keeps_the_last_result() -> None:
    """Its own result is blank until it ends; a server that was never checked has not been checked by it."""
    health = Health(Simulator(Settings(), Switches({})))
    checks = health.checks["gra", 7] = Checks(30)
    observe(health, "gra", f"{HEADER}tcp-farm-1,tcp-server-7,UP 1/2,* INI,,,,\n")
    assert checks.seen is None
    observe(health, "gra", f"{HEADER}tcp-farm-1,tcp-server-7,UP,L7OK,250,3,ready,\n")
    assert checks.seen is not None
    checks.seen = 1.0
    observe(health, "gra", f"{HEADER}tcp-farm-1,tcp-server-7,UP,* L7OK,0,,,\n")
    assert health.reports["gra", 7] == Report("UP", "L7OK", "250", "ready", "3")
    assert checks.seen == 1.0
