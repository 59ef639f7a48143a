# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that are answered with whole objects, and every doubt that a client has to have about them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import ovh.exceptions
import pytest

from tools.waiting import eventually

from .conftest import Service

BULK = {"X-Pagination-Mode": "CachedObjectList-Pages", "X-Pagination-Size": "50000"}
FRESH: Mapping[str, str] = MappingProxyType({**BULK, "Pragma": "no-cache"})


def bulk(service: Service, path: str, *, headers: Mapping[str, str] = FRESH, **query: Any) -> list[Any]:
    found, elements = bulk_with_count(service, path, headers=headers, **query)
    assert elements == len(found)
    return found


def bulk_with_count(
    service: Service, path: str, *, headers: Mapping[str, str] = FRESH, **query: Any
) -> tuple[list[Any], int]:
    service.client._session.headers.update(headers)
    try:
        target = f"?{urlencode(query)}" if query else ""
        answer = service.client.raw_call("GET", f"{service.path}/{path}{target}", None, True)
    finally:
        for name in (*FRESH, "X-Pagination-Number"):
            service.client._session.headers.pop(name, None)
    answer.raise_for_status()
    return answer.json(), int(answer.headers.get("X-Pagination-Elements", -1))


@pytest.fixture
def filled(service: Service) -> Service:
    """Something of everything that has a list."""
    service.simulator.reset(vrack="active")
    for protocol in ("tcp", "http", "udp"):
        farm = service.farm(protocol, vrackNetworkId=301)
        service.server(farm, protocol, address="10.0.0.11")
        service.frontend(protocol, defaultFarmId=farm)
        if protocol != "udp":
            route = service.post(f"{protocol}/route", action={"type": "reject"})["routeId"]
            service.post(f"{protocol}/route/{route}/rule", field="source", match="is", pattern="192.0.2.1")
    service.post("refresh")
    return service


def paths(service: Service) -> list[str]:
    found = ["quota", "quotaHistory", "ssl", "task", "vrack/network", "zone"]
    for protocol in ("tcp", "http", "udp"):
        found += [f"{protocol}/farm", f"{protocol}/farm/{service.get(f'{protocol}/farm')[0]}/server"]
        found += [f"{protocol}/frontend"]
    for protocol in ("tcp", "http"):
        found += [f"{protocol}/route", f"{protocol}/route/{service.get(f'{protocol}/route')[0]}/rule"]
    return found


def test_every_list_answers_the_objects_that_its_ids_name(filled: Service) -> None:
    filled.simulator.switch(lists_shuffled="off")
    eventually(lambda: filled.get(f"task/{filled.get('task')[0]}")["status"] == "done")
    for path in paths(filled):
        ids = filled.get(path)
        assert ids, path
        singly = [filled.get(f"{path}/{id_}") for id_ in ids]
        for one in singly:
            one.pop("lastUpdateDate", None)
        told = bulk(filled, path)
        for one in told:
            one.pop("lastUpdateDate", None)
        assert told == singly, path


def test_services_are_a_list_too(service: Service) -> None:
    service.client._session.headers.update(FRESH)
    assert service.client.get("/ipLoadbalancing")[0]["serviceName"] == service.simulator.service


def test_filters_go_with_it(filled: Service) -> None:
    filled.farm(zone="rbx")
    assert [farm["zone"] for farm in bulk(filled, "tcp/farm", zone="rbx")] == ["rbx"]


def test_pages(service: Service) -> None:
    farms = {service.farm() for dummy in range(5)}
    service.simulator.switch(lists_shuffled="off")
    told = []
    for number in ("1", "2", "3"):
        headers = {**FRESH, "X-Pagination-Size": "2", "X-Pagination-Number": number}
        page, elements = bulk_with_count(service, "tcp/farm", headers=headers)
        assert elements == 5
        told += [farm["farmId"] for farm in page]
    assert (set(told), len(told)) == (farms, 5)


def test_stale_answers_are_fresh_for_who_asks_for_it(service: Service) -> None:
    service.simulator.switch(bulk_lists="stale", bulk_stale_seconds=600)
    assert bulk(service, "tcp/farm", headers=BULK) == []
    farm = service.farm()
    assert bulk(service, "tcp/farm", headers=BULK) == []
    assert [entry["farmId"] for entry in bulk(service, "tcp/farm")] == [farm]
    assert service.get("tcp/farm") == [farm]


def test_stale_answers_for_everybody_show_objects_as_they_were(service: Service) -> None:
    service.simulator.switch(bulk_lists="stale_always", bulk_stale_seconds=600)
    farm = service.farm(probe={"type": "smtp"})
    assert bulk(service, "tcp/farm")[0]["probe"]["type"] == "smtp"
    service.put(f"tcp/farm/{farm}", probe={"type": "tcp"}, port=26)
    service.farm()
    (old,) = bulk(service, "tcp/farm")
    assert (old["port"], old["probe"]["type"]) == (25, "smtp")
    service.simulator.switch(bulk_stale_seconds=0)
    assert len(bulk(service, "tcp/farm")) == 2


def test_ids_instead_of_objects(service: Service) -> None:
    service.simulator.switch(bulk_lists="ids")
    farm = service.farm()
    assert bulk_with_count(service, "tcp/farm") == ([farm], -1)


def test_refused(service: Service) -> None:
    service.simulator.switch(bulk_lists="refused")
    service.client._session.headers.update(FRESH)
    with pytest.raises(ovh.exceptions.BadParametersError):
        service.get("tcp/farm")
    service.client._session.headers.pop("X-Pagination-Mode")
    assert service.get("tcp/farm") == []


def test_cut_without_telling(service: Service) -> None:
    service.simulator.switch(bulk_lists="cut", bulk_cut=3)
    for dummy in range(5):
        service.farm()
    assert len(bulk(service, "tcp/farm")) == 3
    assert len(service.get("tcp/farm")) == 5
