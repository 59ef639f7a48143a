# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a service, however the API words it and whatever disappears meanwhile."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FARM, FRONTEND, ROUTE, SERVER
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader, Scope, by_zone

from unit.plugins.module_utils.iplb.fake_api import SERVICE, Dialect, FakeApi

TCP = {"farm": {"tcp"}}


@pytest.fixture
def api() -> FakeApi:
    """A service that answers in capitals and in its own order."""
    return FakeApi(zones=("rbx", "gra"), dialect=Dialect(upper_case_zones=True, backwards=True))


def test_zones_have_one_spelling_and_order(api: FakeApi) -> None:
    farm = api.add("farm", zone="gra")
    api.pending = {"rbx": 2, "gra": 0}
    snapshot = Reader(api, SERVICE).snapshot(Scope(TCP))
    assert snapshot.zones == ["gra", "rbx"]
    assert snapshot.pending == {"rbx": 2}
    assert [(item.id, item.values["zone"]) for item in snapshot.of(FARM)] == [(farm, "gra")]


def test_changes_in_all_wait_in_every_zone() -> None:
    assert by_zone({"all": 1, "gra": 2}, ["gra", "rbx"]) == {"gra": 3, "rbx": 1}
    assert by_zone({"gra": 2}, ["gra", "rbx"]) == {"gra": 2}


def test_an_unknown_service_is_named_with_those_that_exist(api: FakeApi) -> None:
    with pytest.raises(InvalidInput, match=f'service_name: "typo" does not exist; these credentials see {SERVICE}'):
        Reader(api, "typo").service()


def test_an_unknown_service_is_an_error_even_where_services_can_not_be_listed(api: FakeApi) -> None:
    api.faults["GET", "/ipLoadbalancing"] = 403
    with pytest.raises(InvalidInput, match='"typo" does not exist; check the name in the control panel'):
        Reader(api, "typo").service()


def test_a_service_that_can_not_be_read_is_not_called_unknown(api: FakeApi) -> None:
    api.faults["GET", ""] = 403
    with pytest.raises(ApiError, match="403"):
        Reader(api, SERVICE).service()


def test_a_service_name_stays_one_segment_of_the_path(api: FakeApi) -> None:
    assert Reader(api, "a/../b?c").root == "/ipLoadbalancing/a%2F..%2Fb%3Fc"


def test_an_object_deleted_after_it_was_listed_is_left_out(api: FakeApi) -> None:
    gone, kept = api.add("farm", zone="gra"), api.add("farm", zone="rbx")
    api.faults["GET", f"/tcp/farm/{gone}"] = 404
    api.faults["GET", f"/tcp/farm/{kept}"] = 404
    reader = Reader(api, SERVICE)
    # Of the two faults one meets the common read, the other the second look.
    assert len(reader.snapshot(Scope(TCP)).of(FARM)) == 1


def test_any_other_error_while_reading_is_an_error(api: FakeApi) -> None:
    farm = api.add("farm", zone="gra")
    api.faults["GET", f"/tcp/farm/{farm}"] = 500
    with pytest.raises(ApiError, match="500"):
        Reader(api, SERVICE).snapshot(Scope(TCP))


@pytest.mark.parametrize("by", ["name", "id", "every"])
def test_servers_are_read_of_the_farms_in_scope(api: FakeApi, by: str) -> None:
    farms = [api.add("farm", zone="gra", displayName=name) for name in "ab"]
    servers = [api.add("server", farm=farm, address="192.0.2.11", status="active") for farm in farms]
    scope = {
        "name": Scope(TCP, frozenset({("farm", "a")})),
        "id": Scope(TCP, frozenset({("farm", farms[0])})),
        "every": Scope(TCP, every_parent=frozenset({"farm"})),
    }[by]
    snapshot = Reader(api, SERVICE).snapshot(scope)
    assert {item.id for item in snapshot.of(SERVER)} == (set(servers) if by == "every" else {servers[0]})
    assert [item.id for item in snapshot.children(SERVER, "tcp", farms[0])] == [servers[0]]


def test_every_frontend_is_read_of_the_protocols_that_have_one(api: FakeApi) -> None:
    frontends = {api.add("frontend", protocol, zone="gra", port="25") for protocol in ("tcp", "http")}
    reader = Reader(api, SERVICE)
    snapshot = reader.snapshot(Scope({"frontend": {"tcp"}}))
    api.reads.clear()
    reader.add_what_is_deployed(snapshot)
    assert {item.id for item in snapshot.of(FRONTEND)} == frontends
    assert not [path for path in api.reads if path.startswith(("/udp", "/tcp/frontend"))]
    reader.add_what_is_deployed(snapshot)
    assert len(snapshot.of(FRONTEND)) == 2


def test_routes_are_read_only_where_a_frontend_leads_nowhere_else(api: FakeApi) -> None:
    farm = api.add("farm", zone="gra")
    api.add("frontend", zone="gra", port="25", defaultFarmId=farm)
    lonely = api.add("frontend", "http", zone="gra", port="80")
    api.routes["http"] = {
        1: {"frontendId": lonely, "rules": [{}], "action": {"type": "reject"}},
        2: {"frontendId": None, "rules": [{}], "action": {"type": "reject"}},
        3: {"frontendId": 9, "rules": [], "action": {"type": "reject"}},
    }
    reader = Reader(api, SERVICE)
    snapshot = reader.snapshot(Scope())
    reader.add_what_is_deployed(snapshot)
    assert [item.values["frontend_id"] for item in snapshot.of(ROUTE)] == [lonely, None, 9]
    assert "/tcp/route" not in api.reads
