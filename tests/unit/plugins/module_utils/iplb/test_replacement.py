# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A farm whose zone changes: another takes its place, and nothing is without a farm meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.replacement import way_back

from unit.plugins.module_utils.iplb.engine import apply, carry_out, plan, summary
from unit.plugins.module_utils.iplb.fake_api import FakeApi

Values = dict[str, Any]

EVERYWHERE: Values = {"display_name": "smtp", "zone": "all", "replace": True}


@pytest.fixture
def api() -> FakeApi:
    """A farm in gra with two servers, and the frontend that leads to it."""
    api = FakeApi()
    farm = api.add("farm", displayName="smtp", zone="gra", port=25, balance="leastconn")
    for host in (11, 12):
        api.add("server", farm=farm, address=f"192.0.2.{host}", status="active", weight=host)
    api.add("frontend", displayName="smtp", zone="gra", port="25", defaultFarmId=farm)
    return api


def phases(made: Plan) -> list[list[tuple[str, str, str]]]:
    return [summary(Plan(operations, made.zones, [])) for operations in made.phases()]


def test_without_replace_a_zone_can_not_change(api: FakeApi) -> None:
    farm_id = next(iter(api.of("farm")))
    with pytest.raises(InvalidInput, match="zone can not change from gra to all on an existing farm"):
        plan(api, farms=[{"farm_id": farm_id, "zone": "all"}])


def test_the_new_farm_has_all_of_the_old_one_before_the_old_one_goes(api: FakeApi) -> None:
    made = plan(api, farms=[EVERYWHERE])
    assert phases(made) == [
        [
            ("create", "farm", "tcp/all/smtp"),
            ("create", "server", "tcp/all/smtp/192.0.2.11:25"),
            ("create", "server", "tcp/all/smtp/192.0.2.12:25"),
            ("update", "frontend", "tcp/gra/smtp"),
        ],
        [
            ("delete", "server", "tcp/gra/smtp/192.0.2.11:25"),
            ("delete", "server", "tcp/gra/smtp/192.0.2.12:25"),
            ("delete", "farm", "tcp/gra/smtp"),
        ],
    ]
    apply(api, farms=[EVERYWHERE])
    ((farm, body),) = api.of("farm").items()
    assert (body["zone"], body["balance"], body["port"]) == ("all", "leastconn", 25)
    assert [(item["backendId"], item["weight"]) for item in api.of("server").values()] == [(farm, 11), (farm, 12)]
    assert [item["defaultFarmId"] for item in api.of("frontend").values()] == [farm]
    assert plan(api, farms=[EVERYWHERE]).operations == []


def test_what_the_task_says_of_servers_counts_for_the_new_ones(api: FakeApi) -> None:
    servers = [{"address": "192.0.2.11", "weight": 0}]
    apply(api, farms=[{**EVERYWHERE, "servers": servers}], purge_servers=True)
    assert [(item["address"], item["weight"]) for item in api.of("server").values()] == [("192.0.2.11", 0)]


@pytest.mark.parametrize("cut", range(8))
def test_a_run_that_is_cut_is_finished_by_the_next(api: FakeApi, cut: int) -> None:
    made = plan(api, farms=[EVERYWHERE])
    made.operations = made.operations[:cut]
    carry_out(api, made)
    apply(api, farms=[EVERYWHERE])
    ((farm, body),) = api.of("farm").items()
    assert body["zone"] == "all"
    assert sorted(item["address"] for item in api.of("server").values()) == ["192.0.2.11", "192.0.2.12"]
    assert [item["defaultFarmId"] for item in api.of("frontend").values()] == [farm]
    assert plan(api, farms=[EVERYWHERE]).operations == []


def test_the_old_farm_can_be_named_by_its_id(api: FakeApi) -> None:
    api.add("farm", displayName="smtp", zone="rbx", port=25)
    old = next(iter(api.of("farm")))
    with pytest.raises(InvalidInput, match=r"replace: 2 have this name: ids .*; say which with farm_id"):
        plan(api, farms=[EVERYWHERE])
    apply(api, farms=[{"farm_id": old, "zone": "all", "replace": True}])
    assert sorted(item["zone"] for item in api.of("farm").values()) == ["all", "rbx"]


@pytest.fixture
def by_id(api: FakeApi) -> Values:
    """The same replacement, of a farm that is named by its id."""
    return {"farm_id": next(iter(api.of("farm"))), "display_name": "smtp", "zone": "all", "replace": True}


def test_a_replacement_by_id_is_done_once(api: FakeApi, by_id: Values) -> None:
    """The old id is gone then, and the new farm is known by its name and zone."""
    servers = [{"address": "192.0.2.11", "weight": 7}]
    apply(api, farms=[{**by_id, "servers": servers}])
    assert plan(api, farms=[{**by_id, "servers": servers}]).operations == []
    assert plan(api, farms=[by_id]).operations == []
    changed = plan(api, farms=[{**by_id, "balance": "first"}])
    assert summary(changed) == [("update", "farm", "tcp/all/smtp")]


def test_a_replacement_by_id_takes_no_other_farm_of_that_name(api: FakeApi, by_id: Values) -> None:
    api.add("farm", displayName="smtp", zone="rbx", port=25)
    apply(api, farms=[by_id])
    assert plan(api, farms=[by_id]).operations == []
    assert sorted(item["zone"] for item in api.of("farm").values()) == ["all", "rbx"]


@pytest.mark.parametrize("said", [("farm_id",), ("farm_id", "display_name"), ("farm_id", "zone")])
def test_an_id_that_is_gone_is_refused_where_nothing_names_the_new_farm(
    api: FakeApi, by_id: Values, said: tuple[str, ...]
) -> None:
    apply(api, farms=[by_id])
    entry = {name: by_id[name] for name in said}
    with pytest.raises(
        InvalidInput,
        match=r"farm_id \d+ is not a tcp farm of this service; if another has taken its place, give its display_name",
    ):
        plan(api, farms=[{**entry, "replace": True}])


def test_an_id_that_never_was_makes_no_farm(api: FakeApi, by_id: Values) -> None:
    with pytest.raises(InvalidInput, match="farm_id 7 is not a tcp farm of this service"):
        plan(api, farms=[{**by_id, "farm_id": 7}])


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("cut", range(8))
def test_a_replacement_by_id_that_is_cut_is_finished_by_the_next(
    api: FakeApi, by_id: Values, cut: int, named: bool
) -> None:
    entry = by_id if named else {name: value for name, value in by_id.items() if name != "display_name"}
    made = plan(api, farms=[entry])
    made.operations = made.operations[:cut]
    carry_out(api, made)
    if cut < 7:
        apply(api, farms=[entry])
    ((farm, body),) = api.of("farm").items()
    assert body["zone"] == "all"
    assert sorted(item["address"] for item in api.of("server").values()) == ["192.0.2.11", "192.0.2.12"]
    assert [item["defaultFarmId"] for item in api.of("frontend").values()] == [farm]


def test_zones_that_no_frontend_can_bridge_are_refused(api: FakeApi) -> None:
    with pytest.raises(
        InvalidInput,
        match="frontend tcp/gra/smtp would be in zone gra, and its default_farm tcp/rbx/smtp is in zone rbx",
    ):
        plan(api, farms=[{**EVERYWHERE, "zone": "rbx"}])


def test_a_frontend_may_move_along_in_the_same_task(api: FakeApi) -> None:
    task: Values = {
        "farms": [{**EVERYWHERE, "zone": "rbx"}],
        "frontends": [{"frontend_id": next(iter(api.of("frontend"))), "zone": "rbx"}],
    }
    apply(api, **task)
    ((farm, body),) = api.of("farm").items()
    assert body["zone"] == "rbx"
    assert [(item["zone"], item["defaultFarmId"]) for item in api.of("frontend").values()] == [("rbx", farm)]
    assert plan(api, **task).operations == []


def test_the_way_back_leads_to_the_old_farm_also_when_an_earlier_run_led_away(api: FakeApi) -> None:
    made = plan(api, farms=[EVERYWHERE])
    old = next(iter(api.of("farm")))
    carry_out(api, Plan(made.phases()[0], made.zones, []))
    resumed = plan(api, farms=[EVERYWHERE])
    assert phases(resumed)[0][0][0] == "delete", "all that is left is to take the old one away"
    carry_out(api, Plan(way_back(resumed, "farm"), made.zones, []))
    assert [item["defaultFarmId"] for item in api.of("frontend").values()] == [old]


def test_a_private_network_goes_along(api: FakeApi) -> None:
    farm = next(iter(api.of("farm")))
    api.of("farm")[farm]["vrackNetworkId"] = 2
    apply(api, farms=[EVERYWHERE])
    assert [item["vrackNetworkId"] for item in api.of("farm").values()] == [2]
