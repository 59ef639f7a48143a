# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refreshes, their tasks, and the health afterwards, on a clock that does not wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import refresher as _refresher
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import (
    ApiError,
    LostAnswer,
    NotHealthy,
    RefreshFailed,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.refresher import ROUNDS, Refresher
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader

from unit.plugins.module_utils.iplb.clock import Clock
from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi

Values = dict[str, Any]

ZONES = ("gra", "rbx")
RUNNING = ("todo", "doing")


@dataclass
class Course:
    """How a refresh goes: its task ends after ``seconds``; what was written meanwhile, ``left``, waits for the next."""

    end: str = "done"
    seconds: float = 10.0
    left: Values = field(default_factory=dict)


class Balancer(FakeApi):
    """``courses`` are those of the refreshes to come, then all go well. ``started`` are the zones of each refresh."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(zones=ZONES)
        self.clock = clock
        self.courses: list[Course] = []
        self.started: list[str | None] = []
        self.tasks: dict[int, Values] = {}
        self.lost_starts: list[bool] = []
        self.pending = {"gra": 1, "rbx": 2}

    def _call(self, method: str, path: str, body: Values | None = None) -> Any:
        rest, dummy, query = path.removeprefix(f"/ipLoadbalancing/{SERVICE}").partition("?")
        if (method, rest) in self.faults:
            return super()._call(method, path, body)
        if rest == "/refresh":
            return self._refresh((body or {}).get("zone"))
        if rest == "/task":
            assert "action=refreshIplb" in query
            return [task["id"] for task in self.tasks.values() if "status=" not in query or task["status"] in query]
        if rest.startswith("/task/"):
            if int(rest[6:]) not in self.tasks:
                raise ApiError("no such task", call=path, status=404)
            return dict(self.tasks[int(rest[6:])])
        return super()._call(method, path, body)

    def _refresh(self, zone: str | None) -> Values:
        lost = self.lost_starts.pop(0) if self.lost_starts else None
        if lost is False:
            raise LostAnswer("no answer", call="POST refresh")
        if any(task["status"] in RUNNING for task in self.tasks.values()):
            raise ApiError("a refresh is running", call="POST refresh", status=409)
        self.started.append(zone)
        task = self.run_task([zone] if zone else list(ZONES), self.courses.pop(0) if self.courses else Course())
        if lost:
            raise LostAnswer("no answer", call="POST refresh")
        return dict(task)

    def run_task(self, zones: Sequence[str], course: Course | None = None) -> Values:
        """A refresh task, also one that somebody else started."""
        course = course or Course()
        number = len(self.tasks) + 1
        task: Values = {"id": number, "status": "todo", "zones": list(zones), "progress": 0}
        task.update(creationDate=self.clock.date(), doneDate=None)
        self.tasks[number] = task
        self.clock.after(course.seconds / 2, partial(task.update, status="doing", progress=50))
        self.clock.after(course.seconds, partial(self._end, task, course))
        return task

    def _end(self, task: Values, course: Course) -> None:
        task.update(status=course.end, progress=100, doneDate=self.clock.date())
        if course.end == "done":
            self.pending = {zone: number for zone, number in self.pending.items() if zone not in task["zones"]}
            self.pending.update(course.left)
        if course.end == "vanished":
            del self.tasks[task["id"]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_refresher, "time", clock)
    return clock


@pytest.fixture
def balancer(clock: Clock) -> Balancer:
    return Balancer(clock)


def refresher(balancer: Balancer, timeout: float = 60.0) -> Refresher:
    return Refresher(balancer, Reader(balancer, SERVICE), timeout)


# Which refreshes


def test_all_zones_are_refreshed_at_once(balancer: Balancer) -> None:
    refresher(balancer).refresh(ZONES, ZONES, wait=True)
    assert balancer.started == [None]
    assert balancer.pending == {}


def test_some_zones_are_refreshed_one_after_the_other_and_no_others(balancer: Balancer) -> None:
    balancer.zones.append("sbg")
    balancer.pending["sbg"] = 1
    running = refresher(balancer)
    running.refresh({"rbx", "gra"}, {"rbx", "gra", "sbg"}, wait=True)
    assert balancer.started == ["gra", "rbx"]
    assert balancer.pending == {"sbg": 1}
    assert [(task["zones"], task["status"]) for task in running.tasks] == [(["gra"], "done"), (["rbx"], "done")]


def test_without_waiting_the_last_refresh_is_only_started(balancer: Balancer, clock: Clock) -> None:
    running = refresher(balancer)
    running.refresh(["gra"], ZONES, wait=False)
    assert (balancer.started, clock.now) == (["gra"], 0)
    assert [task["status"] for task in running.tasks] == ["todo"]


def test_without_waiting_an_earlier_zone_is_still_waited_for(balancer: Balancer) -> None:
    refresher(balancer).refresh(["gra", "rbx"], (*ZONES, "sbg"), wait=False)
    assert balancer.started == ["gra", "rbx"]
    assert balancer.pending == {"rbx": 2}


def test_without_waiting_a_failure_of_an_earlier_zone_is_still_noticed(balancer: Balancer) -> None:
    balancer.courses = [Course("error")]
    with pytest.raises(RefreshFailed, match="task 1, zones gra"):
        refresher(balancer).refresh(["gra", "rbx"], (*ZONES, "sbg"), wait=False)
    assert balancer.started == ["gra"]


def test_what_is_written_during_a_refresh_is_refreshed_again(balancer: Balancer) -> None:
    balancer.courses = [Course(left={"rbx": 1})]
    refresher(balancer).refresh(ZONES, ZONES, wait=True)
    assert balancer.started == [None, "rbx"]
    assert balancer.pending == {}


def test_what_waits_in_all_zones_is_refreshed_again_in_all(balancer: Balancer) -> None:
    balancer.courses = [Course(left={"all": 1})]
    balancer.pending = {"all": 1}
    with pytest.raises(RefreshFailed):
        refresher(balancer).refresh(ZONES, ZONES, wait=True)
    assert balancer.started == [None] * ROUNDS


def test_changes_that_never_stop_are_a_failure_that_names_the_zones(balancer: Balancer) -> None:
    balancer.courses = [Course(left={"rbx": 1}) for _round in range(9)]
    with pytest.raises(RefreshFailed, match="still waiting in rbx after 3 refreshes; somebody else"):
        refresher(balancer).refresh(ZONES, ZONES, wait=True)


# One at a time


def test_a_refresh_that_somebody_else_started_is_waited_for(balancer: Balancer, clock: Clock) -> None:
    balancer.run_task(["gra"], Course(seconds=30))
    refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert balancer.started == ["gra"]
    assert clock.now >= 40


def test_a_refresh_that_never_ends_is_named(balancer: Balancer, clock: Clock) -> None:
    task = balancer.run_task(["gra"], Course(seconds=1000))
    with pytest.raises(RefreshFailed, match=rf"another refresh \(task {task['id']}\) is still running after 60 s"):
        refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert balancer.started == []
    assert clock.now == pytest.approx(60)


def test_a_refused_start_is_tried_again(balancer: Balancer) -> None:
    balancer.faults["POST", "/refresh"] = 409
    refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert balancer.started == ["gra"]


def test_starts_that_stay_refused_fail_in_time(
    balancer: Balancer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balancer, "_refresh", partial(_refuse, 409))
    with pytest.raises(RefreshFailed, match="no refresh could be started within 60 s: another refresh runs"):
        refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert clock.now == pytest.approx(60)


def _refuse(status: int, _zone: str | None) -> Values:
    raise ApiError("refused", call="POST refresh", status=status)


def test_any_other_refusal_is_the_api_s_error(balancer: Balancer) -> None:
    balancer.faults["POST", "/refresh"] = 400
    with pytest.raises(ApiError, match="400"):
        refresher(balancer).refresh(["gra"], ZONES, wait=True)


@pytest.mark.parametrize("started", [True, False])
def test_a_lost_answer_to_a_start_does_no_harm(balancer: Balancer, started: bool) -> None:
    balancer.lost_starts = [started]
    running = refresher(balancer)
    running.refresh(["gra"], ZONES, wait=True)
    assert "gra" not in balancer.pending
    assert [task["status"] for task in running.tasks] == ["done"]


def test_waiting_for_a_refresh_tells_whether_there_was_one(balancer: Balancer) -> None:
    assert refresher(balancer).wait_for_running() is False
    balancer.run_task(["gra"])
    assert refresher(balancer).wait_for_running() is True


# Verdicts


@pytest.mark.parametrize("verdict", ["error", "cancelled", "blocked"])
def test_a_failed_task_fails_at_once_with_the_task(balancer: Balancer, clock: Clock, verdict: str) -> None:
    balancer.courses = [Course(verdict)]
    with pytest.raises(RefreshFailed, match=f"ended as {verdict}: task 1, zones gra; .*not live there") as failure:
        refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert failure.value.details["task"]["status"] == verdict
    assert clock.now < 20
    assert balancer.pending["gra"] == 1


def test_a_task_that_takes_too_long_is_named_with_its_progress(balancer: Balancer, clock: Clock) -> None:
    balancer.courses = [Course(seconds=100)]
    with pytest.raises(RefreshFailed, match=r"not done after 60 s \(task 1 is doing, 50 %\)"):
        refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert clock.now == pytest.approx(60)


def test_a_task_that_vanished_is_over_and_what_still_waits_decides(balancer: Balancer) -> None:
    balancer.courses = [Course("vanished")]
    refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert balancer.started == ["gra", "gra"]
    assert "gra" not in balancer.pending


def test_a_task_that_can_not_be_read_is_an_error(balancer: Balancer) -> None:
    balancer.faults["GET", "/task/1"] = 403
    with pytest.raises(ApiError, match="403"):
        refresher(balancer).refresh(["gra"], ZONES, wait=True)


def test_looks_become_rarer_but_not_too_rare(balancer: Balancer, clock: Clock) -> None:
    balancer.courses = [Course(seconds=50)]
    refresher(balancer).refresh(["gra"], ZONES, wait=True)
    assert clock.pauses[0] < 1
    assert clock.pauses == sorted(clock.pauses)
    assert max(clock.pauses) <= 5


# Health


class Farm:
    """A farm whose servers report what a test says, when it says so."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.id = balancer.add("farm", zone="gra", displayName="smtp", port=25, probe={"type": "smtp"})

    def server(self, address: str = "192.0.2.11", **body: Any) -> Values:
        known = {"address": address, "status": "active", "probe": True, **body}
        identifier = self.balancer.add("server", farm=self.id, **known)
        return self.balancer.of("server")[identifier]

    def report(self, server: Values, *states: str) -> None:
        server["serverState"] = [
            {
                "instanceId": number,
                "status": status,
                "checkTime": self.balancer.clock.date(),
                "checkStatus": "L7STS",
                "checkCode": "554",
                "lastCheckContent": "5.7.1 refused",
            }
            for number, status in enumerate(states, 1)
        ]

    def wait(self, refresh: bool = True) -> None:
        running = refresher(self.balancer)
        if refresh:
            running.refresh(["gra"], ZONES, wait=True)
        running.wait_for_healthy({("tcp", self.id): ()})


@pytest.fixture
def farm(balancer: Balancer) -> Farm:
    return Farm(balancer)


def test_a_server_that_reports_nothing_yet_is_waited_for(farm: Farm, clock: Clock) -> None:
    server = farm.server()
    clock.at(30, partial(farm.report, server, "UP", "UP"))
    farm.wait()
    assert clock.now >= 30


def test_a_server_that_never_reports_is_named(farm: Farm, clock: Clock) -> None:
    farm.server()
    with pytest.raises(NotHealthy, match=r"after 60 s: 192\.0\.2\.11: no check reported yet.*Postfix.*PROXY header"):
        farm.wait()


def test_up_counts_only_when_it_was_checked_after_the_refresh(farm: Farm, clock: Clock) -> None:
    server = farm.server()
    farm.report(server, "UP", "UP")
    clock.at(40, partial(farm.report, server, "UP", "UP"))
    farm.wait()
    assert clock.now >= 40


@pytest.mark.parametrize(
    ("checked", "counts"),
    [
        ("2026-01-01T10:00:10+00:00", False),
        ("2026-01-01T11:00:09+01:00", False),
        ("2026-01-01T09:59:00Z", False),
        (None, False),
        ("2026-01-01T10:00:11+00:00", True),
        ("2026-01-01T11:00:11+01:00", True),
        ("2026-01-01T10:00:11Z", True),
        ("2026-01-01T10:00:10.500000+00:00", True),
    ],
)
def test_the_time_of_a_check_is_compared_with_the_end_of_the_refresh(
    farm: Farm, clock: Clock, checked: str | None, counts: bool
) -> None:
    """The refresh ends at 10:00:10."""
    state = {"instanceId": 1, "status": "UP", "checkTime": checked}
    clock.at(10, partial(farm.server().update, serverState=[state]))
    if counts:
        farm.wait()
        return
    with pytest.raises(NotHealthy, match=r"192\.0\.2\.11: not checked since the refresh"):
        farm.wait()


def test_without_a_refresh_of_its_own_the_last_one_counts(farm: Farm, clock: Clock) -> None:
    server = farm.server()
    farm.report(server, "UP")
    farm.balancer.run_task(["gra"], Course(seconds=1))
    clock.sleep(2)
    clock.at(20, partial(farm.report, server, "UP"))
    farm.wait(refresh=False)
    assert clock.now >= 20


def test_without_any_refresh_up_is_enough(farm: Farm, clock: Clock) -> None:
    server = farm.server()
    farm.report(server, "DOWN")
    clock.at(20, partial(farm.report, server, "UP"))
    farm.wait(refresh=False)
    assert 20 <= clock.now < 30


def test_every_instance_must_say_up(farm: Farm, clock: Clock) -> None:
    server = farm.server()
    clock.at(20, partial(farm.report, server, "UP", "DOWN"))
    with pytest.raises(NotHealthy, match=r"192\.0\.2\.11: instance 2 says DOWN L7STS 554 5\.7\.1 refused"):
        farm.wait()


def test_a_server_that_comes_up_again_is_healthy(farm: Farm, clock: Clock) -> None:
    server = farm.server()
    clock.at(15, partial(farm.report, server, "DOWN"))
    clock.at(45, partial(farm.report, server, "UP"))
    farm.wait()
    assert clock.now >= 45


def test_all_ill_servers_are_named_and_the_healthy_are_not(farm: Farm, clock: Clock) -> None:
    for address, status in (("192.0.2.11", "UP"), ("192.0.2.12", "DOWN"), ("192.0.2.13", "no check")):
        clock.at(20, partial(farm.report, farm.server(address), status))
    with pytest.raises(NotHealthy) as failure:
        farm.wait()
    assert "192.0.2.11" not in failure.value.message
    assert "192.0.2.12: instance 1 says DOWN" in failure.value.message
    assert "192.0.2.13: instance 1 says no check" in failure.value.message


@pytest.mark.parametrize("body", [{"status": "inactive"}, {"probe": False}])
def test_servers_that_are_inactive_or_not_probed_are_skipped(farm: Farm, clock: Clock, body: Values) -> None:
    farm.report(farm.server(**body), "DOWN")
    clock.at(30, partial(farm.report, farm.server("192.0.2.12"), "UP"))
    farm.wait()
    assert 30 <= clock.now < 40


@pytest.mark.parametrize(("weight", "healthy"), [(0, True), (1, False), (None, False)])
def test_draining_is_healthy_only_for_a_server_without_weight(
    farm: Farm, clock: Clock, weight: int | None, healthy: bool
) -> None:
    clock.at(20, partial(farm.report, farm.server(weight=weight), "DRAIN"))
    if healthy:
        farm.wait()
        return
    with pytest.raises(NotHealthy, match="DRAIN"):
        farm.wait()
