# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes and their rules: what the service's own catalogues name is accepted, and nothing else."""

from __future__ import annotations

from typing import Any

import ovh.exceptions
import pytest

from .conftest import Service

refused = pytest.raises(ovh.exceptions.BadParametersError)
REJECT = {"type": "reject"}


def route(service: Service, protocol: str = "tcp", **body: Any) -> int:
    return int(service.post(f"{protocol}/route", **{"action": REJECT, **body})["routeId"])


def test_routes_come_in_evaluation_order_with_their_rules(service: Service) -> None:
    farm = service.farm()
    frontend = service.frontend(defaultFarmId=farm)
    action = {"type": "farm", "target": str(farm)}
    late = service.post("tcp/route", frontendId=frontend, weight=9, action=action)["routeId"]
    early = service.post("tcp/route", frontendId=frontend, weight=1, action=action)["routeId"]
    reject = service.post("tcp/route", frontendId=frontend, weight=200, action={"type": "reject"})["routeId"]
    assert service.get("tcp/route") == [reject, early, late]
    rule = service.post(f"tcp/route/{reject}/rule", field="source", match="in", pattern="192.0.2.0/24, 203.0.113.9")
    shown = service.get(f"tcp/route/{reject}")["rules"]
    assert [entry["ruleId"] for entry in shown] == [rule["ruleId"]]
    assert "displayName" not in shown[0]
    service.delete(f"tcp/route/{reject}")
    assert service.get("tcp/route") == [early, late]


@pytest.mark.parametrize(
    ("protocol", "rule", "message"),
    [
        ("tcp", {"field": "uri", "match": "is", "pattern": "/"}, r"\[field\].*not a field of tcp"),
        ("tcp", {"field": "source", "match": "contains", "pattern": "192.0.2.1"}, r"\[match\]"),
        ("tcp", {"field": "source", "match": "is", "pattern": "mail.example"}, r"\[pattern\].*mail.example"),
        ("tcp", {"field": "source", "match": "is"}, r"\[pattern\].*Missing"),
        ("tcp", {"field": "sni", "match": "is", "pattern": "x" * 256}, r"\[pattern\].*255"),
        ("tcp", {"field": "protocol", "match": "is", "pattern": "smtp"}, r"\[pattern\].*smtp"),
        ("tcp", {"field": "protocol", "match": "in", "pattern": "tls,smtp"}, r"\[pattern\].*smtp"),
        ("tcp", {"field": "sni", "match": "internal", "pattern": "x"}, r"\[match\]"),
        ("tcp", {"field": "sni", "match": "is", "pattern": "x", "subField": "y"}, r"\[subField\].*does not go"),
        ("http", {"field": "header", "match": "exists"}, r"\[subField\].*Missing"),
        ("http", {"field": "uri", "match": "exists"}, r"\[match\]"),
        ("http", {"match": "is", "pattern": "/"}, r"\[field\].*Missing"),
        ("http", {"field": "uri", "match": "is", "pattern": "/", "negate": "yes"}, r"\[negate\]"),
    ],
)
def test_refused_rules(service: Service, protocol: str, rule: dict[str, Any], message: str) -> None:
    path = f"{protocol}/route/{route(service, protocol)}/rule"
    with pytest.raises(ovh.exceptions.BadParametersError, match=message):
        service.post(path, **rule)
    assert service.get(path) == []


@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_whatever_the_catalogue_of_rules_names_is_accepted(service: Service, protocol: str) -> None:
    named = [entry for entry in service.get("availableRouteRules") if entry["type"] == protocol]
    assert named
    for entry in named:
        path = f"{protocol}/route/{route(service, protocol)}/rule"
        example = {"cidr": "192.0.2.0/24, 203.0.113.9", "string": "mail"}.get(entry["pattern"])
        for match in entry["matches"][:5]:
            pattern = None if match == "exists" else example or entry["enum"][0]
            sub_field = "X-Mail" if entry["hasSubField"] else None
            rule = service.post(path, field=entry["name"], match=match, pattern=pattern, subField=sub_field)
            assert service.get(f"{path}/{rule['ruleId']}") == rule


@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_whatever_the_catalogue_of_actions_names_is_accepted(service: Service, protocol: str) -> None:
    target = {"farm": str(service.farm(protocol)), "url": "https://${host}${path}", None: None}
    named = [entry for entry in service.get("availableRouteActions") if entry["type"] == protocol]
    assert named
    for entry in named:
        for status in entry["status"] or [None]:
            action = {"type": entry["name"], "target": target[entry["destination"]]}
            body = {**action, "status": status} if protocol == "http" else action
            assert service.get(f"{protocol}/route/{route(service, protocol, action=body)}")["action"] == body


@pytest.mark.parametrize(("name", "other"), [("host", "sni"), ("sni", "host")])
def test_tcp_name_field(service: Service, name: str, other: str) -> None:
    service.simulator.switch(tcp_name_field=name)
    path = f"tcp/route/{route(service)}/rule"
    assert service.post(path, field=name, match="is", pattern="mail.example")
    with refused:
        service.post(path, field=other, match="is", pattern="mail.example")


def test_a_newer_service_may_know_more(service: Service) -> None:
    rule = {"name": "ja3", "type": "tcp", "hasSubField": False, "matches": ["is"], "pattern": "string", "enum": None}
    action = {"name": "tarpit", "type": "tcp", "destination": None, "status": None}
    service.simulator.admin("PUT", "catalogues", {"routeRules": [rule], "routeActions": [action]})
    assert service.get("availableRouteRules") == [rule]
    path = f"tcp/route/{route(service, action={'type': 'tarpit'})}/rule"
    assert service.post(path, field="ja3", match="is", pattern="e7d705a3286e19ea42f587b344ee6865")
    with refused:
        service.post(path, field="source", match="is", pattern="192.0.2.1")
    with refused:
        route(service)


@pytest.mark.parametrize(
    ("protocol", "body", "message"),
    [
        ("tcp", {"action": None}, r"\[action\]"),
        ("tcp", {"action": "reject"}, r"\[action\]"),
        ("tcp", {"action": {"type": "redirect", "target": "https://www.example"}}, r"\[action.type\]"),
        ("tcp", {"action": {"type": "reject", "status": 403}}, "status"),
        ("tcp", {"action": {"type": "reject", "target": "5"}}, r"\[action.target\]"),
        ("tcp", {"action": {"type": "farm", "target": 5}}, r"\[action.target\]"),
        ("tcp", {"action": {"type": "farm"}}, r"\[action.target\]"),
        ("http", {"action": {"type": "redirect"}}, r"\[action.target\].*Missing"),
        ("http", {"action": {"type": "reject", "status": 404}}, r"\[action.status\]"),
        (
            "http",
            {"action": {"type": "redirect", "target": "https://www.example", "status": 200}},
            r"\[action.status\]",
        ),
        ("http", {"weight": 256}, r"\[weight\]"),
        ("http", {"displayName": "x" * 256}, r"\[displayName\]"),
        ("http", {"status": "ok"}, "status"),
    ],
)
def test_refused_routes(service: Service, protocol: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match=message):
        route(service, protocol, **body)
    assert service.get(f"{protocol}/route") == []


def test_a_route_needs_a_farm_and_a_frontend_of_its_protocol(service: Service) -> None:
    farm, frontend = service.farm("http"), service.frontend("http")
    with refused:
        route(service, action={"type": "farm", "target": str(farm)})
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        route(service, frontendId=frontend)
    id_ = route(service, "http", frontendId=frontend, action={"type": "farm", "target": str(farm)})
    assert service.get("http/route", frontendId=frontend) == [id_]
    service.put(f"http/route/{id_}", frontendId=None)
    assert service.get(f"http/route/{id_}")["frontendId"] is None


def test_limits_of_routes_and_rules(service: Service) -> None:
    ids = [route(service, ("tcp", "http")[number % 2]) for number in range(50)]
    with pytest.raises(ovh.exceptions.BadParametersError, match="at most 50"):
        route(service)
    path = f"tcp/route/{ids[0]}/rule"
    for number in range(5):
        service.post(path, field="source", match="is", pattern=f"192.0.2.{number}")
    with pytest.raises(ovh.exceptions.BadParametersError, match="at most 5"):
        service.post(path, field="source", match="is", pattern="192.0.2.9")


def test_rules_are_read_changed_and_deleted_on_their_own(service: Service) -> None:
    path = f"http/route/{route(service, 'http')}/rule"
    rule = service.post(path, field="header", subField="Host", match="is", pattern="mail.example", displayName="mail")
    assert rule["negate"] is False
    service.put(f"{path}/{rule['ruleId']}", **{**rule, "negate": True})
    assert service.get(f"{path}/{rule['ruleId']}")["negate"] is True
    with refused:
        service.put(f"{path}/{rule['ruleId']}", field="uri")
    service.delete(f"{path}/{rule['ruleId']}")
    assert service.get(path) == []


def test_no_default_action_leaves_status_to_the_service(service: Service) -> None:
    assert service.get(f"http/route/{route(service, 'http')}")["action"]["status"] is None
