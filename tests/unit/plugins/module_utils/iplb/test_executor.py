# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing a plan, whatever gets lost or refused on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import executor as _executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, LostAnswer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.executor import CREATION_ATTEMPTS, Executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.plugins.module_utils.iplb.clock import Clock
from unit.plugins.module_utils.iplb.engine import carry_out, plan, summary
from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi, Lost

Values = dict[str, Any]

SERVERS = [{"address": f"192.0.2.{host}", "status": "active"} for host in (11, 12)]
TASK: Values = {
    "farms": [{"display_name": "smtp", "zone": "gra", "port": 25, "probe": {"type": "smtp"}, "servers": SERVERS}],
    "frontends": [{"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}],
}


@pytest.fixture(autouse=True, scope="module")
def clock() -> Iterator[Clock]:
    """Pauses between two looks take no time."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(_executor, "time", clock)
        yield clock


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def test_new_objects_refer_to_each_other_by_their_new_ids(api: FakeApi) -> None:
    executor = carry_out(api, plan(api, **TASK))
    ((farm, dummy),) = api.of("farm").items()
    ((frontend, body),) = api.of("frontend").items()
    assert [server["backendId"] for server in api.of("server").values()] == [farm, farm]
    assert body["defaultFarmId"] == farm
    assert [(item["kind"], item["id"]) for item in executor.done] == [
        ("farm", farm),
        *(("server", server) for server in api.of("server")),
        ("frontend", frontend),
    ]


@given(skip=st.integers(0, 3), carried_out=st.booleans(), again=st.booleans())
@settings(deadline=None)
def test_a_lost_answer_makes_no_duplicate(skip: int, carried_out: bool, again: bool) -> None:
    api = FakeApi()
    api.lost = [Lost(skip, carried_out), *([Lost(0, not carried_out)] if again else [])]
    carry_out(api, plan(api, **TASK))
    assert [len(api.of(kind)) for kind in ("farm", "server", "frontend")] == [1, 2, 1]
    assert plan(api, **TASK).operations == []


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_is_not_mistaken_for_an_identical_object_that_was_there(api: FakeApi, carried_out: bool) -> None:
    farm = api.add("farm", zone="gra", displayName="smtp", port=25)
    hand_made = api.add("server", farm=farm, address="192.0.2.11", status="active", port=26)
    made = plan(api, farms=[{"farm_id": farm, "servers": [{**SERVERS[0], "port": 2525}]}])
    api.of("server")[hand_made]["port"] = 2525
    api.lost = [Lost(carried_out=carried_out)]
    executor = carry_out(api, made)
    created = executor.done[0]["id"]
    assert created != hand_made
    assert set(api.of("server")) == {hand_made, created}


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_an_object_that_comes_after_its_answer_was_given_up_is_waited_for(
    api: FakeApi, clock: Clock, seconds: float
) -> None:
    body = TASK["farms"][0]
    values = {"displayName": body["display_name"], "zone": "gra", "port": 25, "probe": {"type": "smtp"}}
    api.lost = [Lost(carried_out=False)]

    def come() -> None:
        api.add("farm", **values)

    clock.after(seconds, come)
    carry_out(api, plan(api, **TASK))
    assert len(api.of("farm")) == 1


def test_a_similar_object_of_this_run_is_not_taken_for_the_lost_one(api: FakeApi) -> None:
    """A null port is not sent, so the first server has everything that was sent for the second."""
    servers = [{**SERVERS[0], "port": 26}, {**SERVERS[0], "port": None}]
    api.lost = [Lost(skip=2)]
    carry_out(api, plan(api, farms=[{**TASK["farms"][0], "servers": servers}]))
    assert sorted(server.get("port") or 25 for server in api.of("server").values()) == [25, 26]


def test_a_lost_object_is_found_though_another_new_one_was_made_and_deleted_meanwhile(api: FakeApi) -> None:
    made = plan(api, **TASK)
    other = api.add("farm", zone="gra", displayName="somebody else's", port=25)
    api.faults["GET", f"/tcp/farm/{other}"] = 404
    api.lost = [Lost(carried_out=True)]
    carry_out(api, made)
    assert len(api.of("farm")) == 2


def test_a_creation_that_keeps_getting_lost_fails_in_the_end(api: FakeApi) -> None:
    api.lost = [Lost() for _attempt in range(CREATION_ATTEMPTS)]
    with pytest.raises(LostAnswer):
        carry_out(api, plan(api, **TASK))
    assert api.objects == {}


def test_a_failure_midway_tells_what_was_done_and_the_next_run_finishes(api: FakeApi) -> None:
    made = plan(api, **TASK)
    api.faults["POST", "/tcp/frontend"] = 500
    executor = Executor(api, Reader(api, SERVICE))
    with pytest.raises(ApiError, match="500"):
        executor.run(made.operations)
    assert [item["key"] for item in executor.done] == [operation.key for operation in made.operations[:3]]
    assert all(item["id"] for item in executor.done)
    assert summary(plan(api, **TASK)) == [("create", "frontend", "tcp/gra/smtp")]


@pytest.mark.parametrize("refresh_ran", [True, False])
def test_a_write_refused_during_a_refresh_is_repeated_after_it(api: FakeApi, refresh_ran: bool) -> None:
    made = plan(api, **TASK)
    api.faults["POST", "/tcp/farm"] = 409
    executor = Executor(api, Reader(api, SERVICE), lambda: refresh_ran)
    if refresh_ran:
        executor.run(made.operations)
        assert plan(api, **TASK).operations == []
    else:
        with pytest.raises(ApiError, match="409"):
            executor.run(made.operations)


def test_a_write_that_stays_refused_fails(api: FakeApi) -> None:
    farm = api.add("farm", zone="gra", displayName="smtp")
    made = plan(api, farms=[{"farm_id": farm, "state": "absent"}])
    api.add("frontend", zone="gra", port="25", defaultFarmId=farm)
    executor = Executor(api, Reader(api, SERVICE), lambda: True)
    with pytest.raises(ApiError, match="409"):
        executor.run(made.operations)
    assert executor.done == []


def test_lists_and_probes_are_recognised_in_another_wording(api: FakeApi) -> None:
    """The API answers with defaults, other orders and masks, also for an object that was just created."""
    api.lost = [Lost(carried_out=True)]
    sources = ["203.0.113.7", "198.51.100.0/24"]
    frontend = {"display_name": "x", "zone": "GRA", "port": "26,25", "allowed_source": sources}
    carry_out(api, plan(api, frontends=[frontend]))
    assert len(api.of("frontend")) == 1
