# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single decisions of the planner, and what it refuses; what always holds is in test_planner_properties."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_server
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.planner import make_plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.rules import (
    deployment_gaps,
    port_clashes,
    unsafe_drains,
    unwatchable,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader, Scope, Snapshot

from unit.plugins.module_utils.iplb.engine import apply, observe, plan, summary
from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi

Values = dict[str, Any]


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def add_farm(api: FakeApi, **body: Any) -> int:
    return api.add("farm", body.pop("protocol", "tcp"), **{"displayName": "smtp", "zone": "gra", "port": 25, **body})


def add_server(api: FakeApi, farm: int, address: str = "192.0.2.11", **body: Any) -> int:
    return api.add("server", farm=farm, address=address, **{"status": "active", **body})


def add_frontend(api: FakeApi, **body: Any) -> int:
    protocol = body.pop("protocol", "tcp")
    return api.add("frontend", protocol, **{"displayName": "smtp", "zone": "gra", "port": "25", **body})


def smtp(**options: Any) -> Values:
    return {"display_name": "smtp", **options}


def whole(api: FakeApi) -> Snapshot:
    """A snapshot with everything that a refresh concerns."""
    protocols = frozenset({"tcp", "http", "udp"})
    reader = Reader(api, SERVICE)
    snapshot = reader.snapshot(Scope({"farm": protocols, "frontend": protocols}, every_parent=frozenset({"farm"})))
    reader.add_what_is_deployed(snapshot)
    return snapshot


# Order


def test_what_others_refer_to_comes_first_on_the_way_in(api: FakeApi) -> None:
    made = plan(
        api,
        farms=[smtp(zone="gra", port=25, servers=[{"address": "192.0.2.11", "status": "active"}])],
        frontends=[smtp(zone="gra", port="25", default_farm="smtp")],
    )
    assert summary(made) == [
        ("create", "farm", "tcp/gra/smtp"),
        ("create", "server", "tcp/gra/smtp/192.0.2.11:25"),
        ("create", "frontend", "tcp/gra/smtp"),
    ]


def test_and_last_on_the_way_out_after_everything_new(api: FakeApi) -> None:
    farm = add_farm(api, displayName="old")
    add_server(api, farm)
    add_frontend(api, displayName="old", defaultFarmId=farm)
    add_frontend(api, displayName="kept", defaultFarmId=farm)
    made = plan(
        api,
        farms=[{"display_name": "old", "state": "absent"}, {"display_name": "new", "zone": "gra"}],
        frontends=[{"display_name": "old", "state": "absent"}, {"display_name": "kept", "default_farm": "new"}],
    )
    assert summary(made) == [
        ("create", "farm", "tcp/gra/new"),
        ("update", "frontend", "tcp/gra/kept"),
        ("delete", "frontend", "tcp/gra/old"),
        ("delete", "server", "tcp/gra/old/192.0.2.11:25"),
        ("delete", "farm", "tcp/gra/old"),
    ]


# Values


@pytest.mark.parametrize("value", [0, 1, 256])
def test_a_weight_of_0_is_a_value(api: FakeApi, value: int) -> None:
    server = add_server(api, add_farm(api), weight=50)
    apply(api, farms=[smtp(servers=[{"address": "192.0.2.11", "weight": value}])])
    assert api.of("server")[server]["weight"] == value


@pytest.mark.parametrize(
    ("option", "name", "before", "empty"),
    [
        ("disabled", "disabled", True, False),
        ("ssl", "ssl", True, False),
        ("allowed_source", "allowedSource", ["203.0.113.0/24"], []),
        ("dedicated_ipfo", "dedicatedIpfo", ["203.0.113.0/24"], []),
        ("redirect_location", "redirectLocation", "https://www.example.com/", ""),
        ("http_header", "httpHeader", ["X-Port %cp"], []),
    ],
)
def test_false_empty_text_and_empty_lists_are_values(
    api: FakeApi, option: str, name: str, before: Any, empty: Any
) -> None:
    frontend = add_frontend(api, protocol="http", **{name: before})
    apply(api, frontends=[smtp(protocol="http", **{option: empty})])
    assert api.of("frontend", "http")[frontend][name] == empty


@pytest.mark.parametrize(
    ("option", "name", "before", "reset"),
    [
        ("balance", "balance", "source", None),
        ("stickiness", "stickiness", "sourceIp", None),
        ("port", "port", 25, None),
        ("vrack_network_id", "vrackNetworkId", 3, None),
        ("probe", "probe", {"type": "smtp"}, {}),
    ],
)
def test_null_resets_a_farm_s_field(api: FakeApi, option: str, name: str, before: Any, reset: Any) -> None:
    farm = add_farm(api, **{name: before})
    made = apply(api, farms=[smtp(**{option: None})])
    assert [list(item.after) for item in made.operations] == [[option.replace("network_id", "network")]]
    assert api.of("farm")[farm][name] == reset


@pytest.mark.parametrize(
    ("option", "name", "before", "reset"),
    [
        ("weight", "weight", 9, None),
        ("backup", "backup", True, False),
        ("proxy_protocol_version", "proxyProtocolVersion", "v2", None),
        ("port", "port", 2525, None),
    ],
)
def test_null_resets_a_server_s_field_and_a_flag_to_false(
    api: FakeApi, option: str, name: str, before: Any, reset: Any
) -> None:
    server = add_server(api, add_farm(api), **{name: before})
    apply(api, farms=[smtp(servers=[{"server_id": server, option: None}])])
    assert api.of("server")[server][name] == reset


def test_null_is_left_out_when_an_object_is_created(api: FakeApi) -> None:
    made = plan(api, farms=[smtp(zone="gra", balance=None, probe=None, stickiness=None)])
    assert made.operations[0].values == smtp(zone="gra")


def test_a_probe_is_sent_whole_and_only_when_it_changes(api: FakeApi) -> None:
    farm = add_farm(api, probe={"type": "smtp", "interval": 60, "port": 2525})
    assert plan(api, farms=[smtp(probe={"interval": 60})]).operations == []
    apply(api, farms=[smtp(probe={"interval": None})])
    probe = api.of("farm")[farm]["probe"]
    assert (probe["type"], probe["port"], probe["interval"]) == ("smtp", 2525, None)


def test_sources_of_both_kinds_exclude_each_other_across_task_and_api(api: FakeApi) -> None:
    add_frontend(api, allowedSource=["203.0.113.0/24"])
    with pytest.raises(InvalidInput, match=r'frontends\[0\] "smtp": allowed_source and denied_source.*\[\]'):
        plan(api, frontends=[smtp(denied_source=["198.51.100.0/24"])])
    apply(api, frontends=[smtp(denied_source=["198.51.100.0/24"], allowed_source=[])])


def test_zones_of_an_operation_are_those_it_is_deployed_in(api: FakeApi) -> None:
    made = plan(api, farms=[smtp(zone="all")])
    assert made.operations[0].zones == ("gra", "rbx")
    add_frontend(api)
    moved = plan(api, frontends=[{"frontend_id": next(iter(api.of("frontend"))), "zone": "rbx"}])
    assert moved.operations[0].zones == ("gra", "rbx")


def test_an_operation_reports_only_what_changes_with_farms_by_name(api: FakeApi) -> None:
    old, new = add_farm(api, displayName="old"), add_farm(api, displayName="new")
    frontend = add_frontend(api, defaultFarmId=old, disabled=True)
    made = plan(api, frontends=[smtp(default_farm_id=new, port="25", disabled=False)])
    assert made.operations[0].report() == {
        "action": "update",
        "kind": "frontend",
        "protocol": "tcp",
        "key": "tcp/gra/smtp",
        "id": frontend,
        "before": {"disabled": True, "default_farm": "tcp/gra/old"},
        "after": {"disabled": False, "default_farm": "tcp/gra/new"},
        "zones": ["gra"],
    }


# Which object is meant


def test_a_name_that_two_farms_have_is_an_error_with_their_ids(api: FakeApi) -> None:
    first, second, other = add_farm(api), add_farm(api), add_farm(api, zone="rbx")
    with pytest.raises(InvalidInput, match=rf"3 tcp farms.*ids {first} .*{second} .*{other} \(zone rbx\).*or zone"):
        plan(api, farms=[smtp(balance="first")])
    with pytest.raises(InvalidInput, match=rf"2 tcp farms.*ids {first} .*{second} .*; say which with farm_id$"):
        plan(api, farms=[smtp(balance="first", zone="gra")])
    apply(api, farms=[smtp(balance="first", zone="rbx"), {"farm_id": second, "balance": "source"}])
    assert [farm.get("balance") for farm in api.of("farm").values()] == [None, "source", "first"]


def test_a_name_that_two_frontends_have_is_an_error_with_their_ids(api: FakeApi) -> None:
    first, second = add_frontend(api), add_frontend(api)
    with pytest.raises(InvalidInput, match=f"ids {first} .*{second} .*frontend_id"):
        plan(api, frontends=[smtp(disabled=True)])


def test_ids_rename_and_swap_names(api: FakeApi) -> None:
    first, second = add_farm(api, displayName="a"), add_farm(api, displayName="b")
    made = apply(api, farms=[{"farm_id": first, "display_name": "b"}, {"farm_id": second, "display_name": "a"}])
    assert [item.after for item in made.operations] == [{"display_name": "b"}, {"display_name": "a"}]
    assert [farm["displayName"] for farm in api.of("farm").values()] == ["b", "a"]


@pytest.mark.parametrize(
    "entries",
    [
        [{"farm_id": 101, "display_name": "smtp"}, smtp(zone="gra")],
        [{"farm_id": 101, "display_name": "smtp"}, smtp(zone="gra", state="absent")],
        [{"display_name": "a"}, {"display_name": "a", "zone": "rbx"}],
        [{"display_name": "a", "state": "absent"}, {"display_name": "a", "zone": "rbx"}],
    ],
)
def test_a_name_must_still_mean_one_farm_after_the_run(api: FakeApi, entries: list[Values]) -> None:
    assert add_farm(api, displayName="a") == 101
    for listed in (entries, entries[::-1]):
        with pytest.raises(InvalidInput, match="would have the same name; give one of them another display_name"):
            plan(api, farms=listed)


def test_the_same_name_in_two_zones_or_protocols_is_no_namesake(api: FakeApi) -> None:
    farms = [smtp(zone="gra"), smtp(zone="rbx"), smtp(zone="gra", protocol="http"), smtp(zone="all", state="absent")]
    apply(api, farms=farms)
    assert plan(api, farms=farms).operations == []


@pytest.mark.parametrize("entries", [[smtp(), smtp(zone="GRA")], [smtp(), {"farm_id": 101}]])
def test_two_entries_for_one_farm_are_an_error(api: FakeApi, entries: list[Values]) -> None:
    assert add_farm(api) == 101
    with pytest.raises(InvalidInput, match="same object"):
        plan(api, farms=entries)


def test_an_id_that_does_not_exist_is_an_error_and_nothing_to_delete(api: FakeApi) -> None:
    farm = add_farm(api, protocol="http")
    with pytest.raises(InvalidInput, match=f"farm_id {farm} is not a tcp farm of this service"):
        plan(api, farms=[{"farm_id": farm, "balance": "first"}])
    gone: list[Values] = [{"farm_id": 7, "state": "absent"}, {"farm_id": 8, "state": "absent"}]
    assert plan(api, farms=gone).operations == []


@pytest.mark.parametrize(
    ("farm_port", "port", "wanted"),
    [(25, None, 25), (25, None, None), (25, 25, None), (25, 25, 25), (None, None, None), (None, 25, 25)],
)
def test_a_server_s_port_is_the_one_it_inherits(
    api: FakeApi, farm_port: int | None, port: int | None, wanted: int | None
) -> None:
    add_server(api, add_farm(api, port=farm_port), port=port)
    assert plan(api, farms=[smtp(servers=[{"address": "192.0.2.11", "port": wanted}])]).operations == []


@pytest.mark.parametrize(("port", "wanted"), [(None, 25), (None, 26), (25, 25), (25, None), (26, 26), (26, None)])
def test_a_new_farm_port_makes_no_second_server(api: FakeApi, port: int | None, wanted: int | None) -> None:
    farm = add_farm(api)
    server = add_server(api, farm, port=port)
    task = {"farms": [smtp(port=26, servers=[{"address": "192.0.2.11", "port": wanted, "status": "active"}])]}
    apply(api, **task)
    assert list(api.of("server")) == [server]
    assert (api.of("server")[server].get("port") or 26) == (wanted or 26)
    assert plan(api, **task).operations == []


def test_another_port_is_another_server(api: FakeApi) -> None:
    add_server(api, add_farm(api))
    made = plan(api, farms=[smtp(servers=[{"address": "192.0.2.11", "port": 26, "status": "active"}])])
    assert summary(made) == [("create", "server", "tcp/gra/smtp/192.0.2.11:26")]


def test_an_address_with_two_servers_needs_a_port_or_an_id(api: FakeApi) -> None:
    farm = add_farm(api)
    first, second = add_server(api, farm), add_server(api, farm, port=2525)
    with pytest.raises(InvalidInput, match=rf"ids {first} \(port 25\), {second} \(port 2525\).*port or server_id"):
        plan(api, farms=[smtp(servers=[{"address": "192.0.2.11", "weight": 2}])])
    apply(api, farms=[smtp(servers=[{"address": "192.0.2.11", "port": 2525, "weight": 2}])])
    assert api.of("server")[second]["weight"] == 2


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ([{"address": "192.0.2.9"}, {"address": "192.0.2.9"}], "stands twice"),
        ([{"address": "192.0.2.9", "port": 25}, {"address": "192.0.2.9", "port": None}], "stands twice"),
        ([{"address": "192.0.2.9"}, {"address": "192.0.2.9", "port": 26}], "more than once; give each entry its port"),
        ([{"server_id": 102}, {"address": "192.0.2.11"}], "stands twice"),
    ],
)
def test_two_entries_for_one_server_are_an_error(api: FakeApi, servers: list[Values], message: str) -> None:
    assert add_server(api, add_farm(api)) == 102
    listed = [{"status": "active", **server} for server in servers]
    with pytest.raises(InvalidInput, match=message):
        plan(api, farms=[smtp(servers=listed)])


def test_a_server_id_belongs_to_its_farm(api: FakeApi) -> None:
    add_farm(api)
    server = add_server(api, add_farm(api, displayName="other"))
    with pytest.raises(InvalidInput, match=f"server_id {server} does not exist in farm tcp/gra/smtp"):
        plan(api, farms=[smtp(servers=[{"server_id": server, "status": "active"}])])


def test_a_lone_server_needs_its_farm_unless_it_is_to_go(api: FakeApi) -> None:
    reference = {"farm": "nowhere", "protocol": "tcp"}
    server = {"address": "192.0.2.11", "status": "active"}
    with pytest.raises(InvalidInput, match='farm "nowhere" does not exist; create it first'):
        _plan_server(api, reference, server)
    assert _plan_server(api, reference, {**server, "state": "absent"}).operations == []


def _plan_server(api: FakeApi, farm: Values, server: Values) -> Plan:
    desired = Desired((desired_server(farm, server),))
    return make_plan(desired, observe(api, desired))


# What can not be


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"farms": [{"display_name": "x"}]}, r'farms\[0\] "x": zone is missing; a new farm needs it'),
        ({"farms": [{"display_name": "x", "zone": "gra", "protocol": "udp"}]}, "port is missing; a new farm needs it"),
        ({"farms": [smtp(servers=[{"address": "192.0.2.9"}])]}, "server 192.0.2.9: status is missing"),
        ({"frontends": [{"display_name": "x", "zone": "gra"}]}, "port is missing; a new frontend needs it"),
        ({"farms": [{"display_name": "x", "zone": "sbg"}]}, 'zone "sbg" is not a zone of this service; use gra, rbx'),
        ({"farms": [{"farm_id": 101, "zone": "rbx"}]}, "zone can not change from gra to rbx on an existing farm"),
        (
            {"farms": [smtp(servers=[{"server_id": 102, "address": "192.0.2.9"}])]},
            "address can not change from 192.0.2.11 to 192.0.2.9 on an existing server; create another",
        ),
        ({"frontends": [smtp(default_farm_id=99)]}, "default_farm_id 99 is not a tcp farm of this service"),
        ({"frontends": [smtp(default_farm="x")]}, 'default_farm "x" is not the name of a tcp farm'),
        ({"frontends": [smtp(default_farm="far")]}, '"far" is in zone rbx, the frontend in gra'),
        ({"frontends": [smtp(default_farm="twice")]}, r'"twice" is the name of 2 farms: .*zone all.*default_farm_id'),
    ],
)
def test_what_can_not_be_is_refused_with_its_remedy(api: FakeApi, task: Values, message: str) -> None:
    add_server(api, add_farm(api))
    add_farm(api, displayName="far", zone="rbx")
    add_farm(api, displayName="twice")
    add_farm(api, displayName="twice", zone="all")
    add_frontend(api)
    with pytest.raises(InvalidInput, match=message):
        plan(api, **task)


def test_a_default_farm_has_the_protocol_of_its_frontend(api: FakeApi) -> None:
    add_farm(api, protocol="http")
    add_frontend(api)
    with pytest.raises(InvalidInput, match="tcp"):
        plan(api, farms=[smtp(protocol="http")], frontends=[smtp(default_farm="smtp")])


@pytest.mark.parametrize("zone", ["gra", "all"])
def test_a_default_farm_is_in_the_frontend_s_zone_or_in_all(api: FakeApi, zone: str) -> None:
    farm = add_farm(api, zone=zone)
    add_farm(api, zone="rbx")
    frontend = add_frontend(api)
    apply(api, frontends=[smtp(default_farm="smtp")])
    assert api.of("frontend")[frontend]["defaultFarmId"] == farm


@pytest.mark.parametrize("zone", ["rbx", "all"])
@pytest.mark.parametrize("named", ["default_farm_id", None])
def test_a_frontend_does_not_leave_the_zone_of_its_default_farm(api: FakeApi, zone: str, named: str | None) -> None:
    """Also where the task says nothing of the farm, and has no other reason to read it."""
    farm = add_farm(api, displayName="mail")
    frontend = add_frontend(api, defaultFarmId=farm)
    refused = (
        rf"frontend tcp/gra/smtp would be in zone {zone}, and its default_farm tcp/gra/mail is in zone gra; .* give"
    )
    with pytest.raises(InvalidInput, match=refused):
        plan(api, frontends=[{"frontend_id": frontend, "zone": zone, **({named: farm} if named else {})}])


def test_a_default_farm_by_id_is_in_the_frontend_s_zone_too(api: FakeApi) -> None:
    farm = add_farm(api, zone="rbx")
    new = {"display_name": "new", "zone": "gra", "port": "587", "default_farm_id": farm}
    existing = add_frontend(api)
    for entry in (new, {"frontend_id": existing, "default_farm_id": farm}):
        with pytest.raises(InvalidInput, match="in zone gra, and its default_farm tcp/rbx/smtp is in zone rbx"):
            plan(api, frontends=[entry])


def test_a_frontend_moves_with_another_default_farm_or_to_one_in_all(api: FakeApi) -> None:
    near, far, everywhere = add_farm(api), add_farm(api, zone="rbx"), add_farm(api, displayName="any", zone="all")
    frontend = add_frontend(api, defaultFarmId=near)
    apply(api, frontends=[{"frontend_id": frontend, "zone": "rbx", "default_farm": "smtp"}])
    assert (api.of("frontend")[frontend]["zone"], api.of("frontend")[frontend]["defaultFarmId"]) == ("rbx", far)
    apply(api, frontends=[{"frontend_id": frontend, "default_farm": "any"}])
    apply(api, frontends=[{"frontend_id": frontend, "zone": "gra"}])
    assert (api.of("frontend")[frontend]["zone"], api.of("frontend")[frontend]["defaultFarmId"]) == ("gra", everywhere)


def test_a_frontend_that_somebody_led_to_another_zone_can_still_be_disabled(api: FakeApi) -> None:
    farm = add_farm(api, zone="rbx")
    frontend = add_frontend(api, defaultFarmId=farm)
    apply(api, farms=[smtp(balance="first")], frontends=[{"frontend_id": frontend, "zone": "gra", "disabled": True}])
    assert api.of("frontend")[frontend]["disabled"] is True


def test_a_frontend_without_farm_gets_one_that_the_task_creates(api: FakeApi) -> None:
    frontend = add_frontend(api)
    apply(api, farms=[smtp(zone="gra")], frontends=[smtp(default_farm="smtp")])
    assert api.of("frontend")[frontend]["defaultFarmId"] == next(iter(api.of("farm")))


@pytest.mark.parametrize("written", [{"default_farm": None}, {"default_farm_id": None}])
def test_null_detaches_the_default_farm_and_ids_are_never_0(api: FakeApi, written: Values) -> None:
    frontend = add_frontend(api, defaultFarmId=add_farm(api))
    made = apply(api, frontends=[smtp(**written)])
    assert api.of("frontend")[frontend]["defaultFarmId"] is None
    assert made.operations[0].before == {"default_farm": "tcp/gra/smtp"}


# Purge and deletion


def populated(api: FakeApi) -> dict[str, int]:
    ids = {"smtp": add_farm(api), "web": add_farm(api, displayName="web"), "http": add_farm(api, protocol="http")}
    ids["listed"] = add_server(api, ids["smtp"])
    ids["unlisted"] = add_server(api, ids["smtp"], "192.0.2.12")
    ids["elsewhere"] = add_server(api, ids["web"], "192.0.2.12")
    ids["front"] = add_frontend(api)
    ids["front web"] = add_frontend(api, displayName="web")
    ids["front http"] = add_frontend(api, protocol="http")
    return ids


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, set()),
        ({"purge_servers": True}, {"unlisted"}),
        ({"purge_frontends": True}, {"front web"}),
        ({"purge_farms": True}, {"web", "elsewhere"}),
        ({"purge_farms": True, "purge_protocols": ["http"]}, {"http"}),
        ({"purge_farms": True, "purge_protocols": ["udp"]}, set()),
        ({"purge_frontends": True, "purge_protocols": ["http", "udp"]}, {"front http"}),
        ({"purge_servers": True, "purge_protocols": ["http"]}, set()),
        ({"purge_servers": True, "purge_protocols": []}, set()),
    ],
)
def test_a_purge_reaches_its_own_list_and_protocols(api: FakeApi, options: Values, expected: set[str]) -> None:
    ids = populated(api)
    apply(api, farms=[smtp(servers=[{"address": "192.0.2.11"}])], frontends=[smtp()], **options)
    left = {key[2] for key in api.objects}
    assert {name for name, identifier in ids.items() if identifier not in left} == expected


def test_servers_of_a_farm_without_list_are_not_purged_though_a_namesake_lists_its_own(api: FakeApi) -> None:
    farms = {zone: add_farm(api, zone=zone) for zone in ("gra", "rbx")}
    servers = {zone: add_server(api, farm) for zone, farm in farms.items()}
    listed = [{"address": "192.0.2.12", "status": "active"}]
    apply(api, farms=[smtp(zone="gra", servers=listed), smtp(zone="rbx")], purge_servers=True)
    assert servers["gra"] not in api.of("server")
    assert servers["rbx"] in api.of("server")


@pytest.mark.parametrize(
    "task",
    [
        {"farms": [{"display_name": "smtp", "state": "absent"}]},
        {"farms": [{"display_name": "web"}], "purge_farms": True},
    ],
)
def test_a_farm_in_use_is_not_deleted(api: FakeApi, task: Values) -> None:
    farm = add_farm(api)
    add_farm(api, displayName="web")
    add_frontend(api, displayName="in", defaultFarmId=farm)
    with pytest.raises(
        InvalidInput,
        match=r"farm tcp/gra/smtp can not be deleted: it is what frontend tcp/gra/in \(\d+, default_farm\) leads to;",
    ):
        plan(api, **task)
    released = {"frontends": [{"display_name": "in", "default_farm": "web"}]}
    apply(api, **task, **released)
    assert farm not in api.of("farm")


def test_deleting_what_is_not_there_is_nothing_to_do(api: FakeApi) -> None:
    add_farm(api)
    absent = {"display_name": "gone", "state": "absent"}
    servers = [{"address": "192.0.2.9", "state": "absent"}]
    assert plan(api, farms=[absent, smtp(servers=servers)], frontends=[absent]).operations == []


def test_what_is_left_in_a_zone_that_the_service_gave_up_can_still_be_deleted(api: FakeApi) -> None:
    farm = add_farm(api, zone="rbx")
    api.zones.remove("rbx")
    apply(api, farms=[{"display_name": "smtp", "zone": "rbx", "state": "absent"}])
    assert farm not in api.of("farm")


def test_only_what_the_task_needs_is_read(api: FakeApi) -> None:
    populated(api)
    plan(api, farms=[smtp(balance="first")])
    assert not [path for path in api.reads if "server" in path or "frontend" in path or "http" in path]
    api.reads.clear()
    plan(api, farms=[smtp(servers=[{"address": "192.0.2.11"}])])
    assert {path.split("/server")[0] for path in api.reads if "server" in path} == {"/tcp/farm/101"}


# Deployment, health, drains


def test_a_service_without_frontend_can_not_be_deployed(api: FakeApi) -> None:
    add_farm(api)
    assert deployment_gaps(plan(api, farms=[smtp()]), whole(api)) == ["the service would have no frontend"]


def test_nor_one_with_a_frontend_that_leads_nowhere_even_if_disabled(api: FakeApi) -> None:
    farm = add_farm(api)
    add_frontend(api, displayName="good", defaultFarmId=farm)
    add_frontend(api, displayName="lost", disabled=True)
    add_frontend(api, displayName="udp", protocol="udp")
    gaps = deployment_gaps(plan(api), whole(api))
    assert gaps == [
        "frontend tcp/gra/lost would have no default farm",
        "frontend udp/gra/udp would have no default farm",
    ]


def test_gaps_are_those_of_the_end_state(api: FakeApi) -> None:
    farm = add_farm(api)
    add_frontend(api, displayName="a", defaultFarmId=farm)
    add_frontend(api, displayName="b")
    filled = plan(api, frontends=[{"display_name": "b", "default_farm": "smtp"}])
    assert deployment_gaps(filled, whole(api)) == []
    removed = plan(api, frontends=[{"display_name": "b", "state": "absent"}])
    assert deployment_gaps(removed, whole(api)) == []
    detached = plan(
        api, frontends=[{"display_name": "a", "default_farm": None}, {"display_name": "b", "state": "absent"}]
    )
    assert deployment_gaps(detached, whole(api)) == ["frontend tcp/gra/a would have no default farm"]
    nothing = plan(api, frontends=[{"display_name": name, "state": "absent"} for name in "ab"])
    assert deployment_gaps(nothing, whole(api)) == ["the service would have no frontend"]


def test_a_redirection_or_a_route_with_rules_leads_somewhere(api: FakeApi) -> None:
    add_frontend(api, protocol="http", redirectLocation="https://www.example.com/")
    routed = add_frontend(api)
    api.routes["tcp"] = {1: {"frontendId": routed, "rules": [], "action": {"type": "reject"}}}
    assert deployment_gaps(plan(api), whole(api)) == ["frontend tcp/gra/smtp would have no default farm"]
    api.routes["tcp"][1]["rules"] = [{"field": "source"}]
    assert deployment_gaps(plan(api), whole(api)) == []


@pytest.mark.parametrize(
    ("other", "clashes"),
    [
        ({"port": "25"}, True),
        ({"port": "20-30"}, True),
        ({"port": "24,26-30"}, False),
        ({"port": "25", "protocol": "http"}, True),
        ({"port": "25", "protocol": "udp"}, False),
        ({"port": "25", "zone": "all"}, True),
        ({"port": "25", "zone": "rbx"}, False),
        ({"port": "25", "disabled": True}, False),
        ({"port": "25", "dedicatedIpfo": ["198.51.100.25/32"]}, False),
    ],
)
def test_frontends_that_share_a_port_are_named(api: FakeApi, other: Values, clashes: bool) -> None:
    add_farm(api)
    add_frontend(api, displayName="other", **other)
    made = plan(api, frontends=[{"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}])
    found = port_clashes(made, whole(api))
    assert bool(found) is clashes
    assert all("other" in clash and "tcp/gra/smtp (port 25)" in clash for clash in found)
    assert port_clashes(plan(api), whole(api)) == []


def test_health_can_be_awaited_only_of_what_is_probed(api: FakeApi) -> None:
    probed = add_farm(api, probe={"type": "smtp"})
    add_server(api, probed, probe=True)
    add_server(api, probed, "192.0.2.12")
    add_server(api, probed, "192.0.2.13", status="inactive")
    add_server(api, add_farm(api, displayName="blind"), "192.0.2.14", probe=True)
    made = plan(api, farms=[smtp(servers=[{"address": "192.0.2.11"}]), {"display_name": "blind", "servers": []}])
    assert unwatchable(made) == ["tcp/gra/smtp/192.0.2.12:25", "tcp/gra/blind/192.0.2.14:25"]


UP, DOWN = {"status": "UP"}, {"status": "DOWN"}


@pytest.mark.parametrize("leaving", [{"state": "absent"}, {"status": "inactive"}, {"weight": 0}])
@pytest.mark.parametrize(
    ("peer", "states", "safe"),
    [
        ({"status": "active"}, [UP, UP], True),
        ({"status": "active"}, [UP, DOWN], False),
        ({"status": "active"}, [], False),
        ({"status": "inactive"}, [UP, UP], False),
        ({"status": "active", "weight": 0}, [UP, UP], False),
    ],
)
def test_a_server_is_drained_only_beside_a_healthy_one(
    api: FakeApi, leaving: Values, peer: Values, states: list[Values], safe: bool
) -> None:
    farm = add_farm(api)
    add_server(api, farm)
    other = add_server(api, farm, "192.0.2.12", **peer)
    api.of("server")[other]["serverState"] = states
    desired = {"farms": [smtp(servers=[{"address": "192.0.2.11", **leaving}])]}
    unsafe = unsafe_drains(plan(api, **desired), whole(api))
    assert unsafe == ([] if safe else ["tcp/gra/smtp/192.0.2.11:25"])


def test_two_servers_drained_at_once_do_not_vouch_for_each_other(api: FakeApi) -> None:
    farm = add_farm(api)
    for address in ("192.0.2.11", "192.0.2.12"):
        server = add_server(api, farm, address)
        api.of("server")[server]["serverState"] = [UP]
    servers = [{"address": f"192.0.2.{host}", "status": "inactive"} for host in (11, 12)]
    assert len(unsafe_drains(plan(api, farms=[smtp(servers=servers)]), whole(api))) == 2
