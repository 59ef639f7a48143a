# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs at once on one service: both end well or one refuses, and nothing is there twice or not live."""

from __future__ import annotations

import pytest

from faults.process import result, start
from faults.story import BEFORE, TASK, assert_converges, assert_ends_well, prepare, smtp_farm, smtp_frontend
from unit.plugins.modules.harness import Service, Values

ROUNDS = 5


@pytest.mark.parametrize("latency", [0, 5, 30])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_same_task_twice_makes_nothing_twice(service: Service, wanted: Values, latency: int, turn: int) -> None:
    prepare(service)
    service.simulator.switch(latency_ms=latency)
    both = [start(service, "load_balancer", **TASK) for _run in range(2)]
    for process in both:
        assert_ends_well(result(process))
    kinds = {kind: len(items) for kind, items in service.everything().items()}
    assert kinds["tcp/farm"] == kinds["tcp/frontend"] == 2, kinds
    assert kinds["tcp/server"] == 4, kinds
    assert_converges(service, wanted)


@pytest.mark.parametrize("latency", [0, 5, 30])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_two_runs_that_miss_the_same_objects_make_them_once(service: Service, latency: int, turn: int) -> None:
    service.simulator.switch(latency_ms=latency)
    zones = ("gra", "rbx")
    task = {"farms": [smtp_farm(zone) for zone in zones], "frontends": [smtp_frontend(zone) for zone in zones]}
    both = [start(service, "load_balancer", **task) for _run in range(2)]
    for process in both:
        assert_ends_well(result(process))
    assert {kind: len(items) for kind, items in service.everything().items()} == {
        "tcp/farm": 2,
        "tcp/server": 4,
        "tcp/frontend": 2,
    }
    assert not service.run("load_balancer", **task)["changed"]
    assert [len(service.live(zone, "tcp/server")) for zone in zones] == [2, 2]


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_no_refresh_is_lost(service: Service, turn: int) -> None:
    """Each run works in a zone of its own: when both have ended, both zones are live."""
    service.simulator.switch(latency_ms=5)
    tasks = [{"farms": [smtp_farm(zone)], "frontends": [smtp_frontend(zone)]} for zone in ("gra", "rbx")]
    both = [start(service, "load_balancer", **task) for task in tasks]
    outcomes = [result(process) for process in both]
    for task, outcome in zip(tasks, outcomes):
        assert_ends_well(outcome)
        if outcome.get("failed"):
            service.run("load_balancer", **task)
    for zone in ("gra", "rbx"):
        assert len(service.live(zone, "tcp/server")) == 2
        assert len(service.live(zone, "tcp/frontend")) == 1
    assert not service.run("load_balancer_info", gather=["pending_changes"])["pending_changes"]


@pytest.mark.parametrize("latency", [0, 5, 30])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_free_certificate_is_ordered_once(service: Service, latency: int, turn: int) -> None:
    service.run("load_balancer", **BEFORE)
    service.simulator.switch(latency_ms=latency)
    order: Values = {"fqdn": ["mail.example.com"], "display_name": "free"}
    for process in [start(service, "certificate", **order) for _run in range(2)]:
        assert_ends_well(result(process))
    assert [item["displayName"] for item in service.staged("ssl") if item["type"] == "built"] == ["free"]
