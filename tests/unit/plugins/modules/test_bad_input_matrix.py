# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input: the message names the option, the object and the remedy, in check mode too, and nothing is written."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from simulator.launcher import Running
from unit.plugins.modules.harness import Service, Values


class Bad(NamedTuple):
    """``words`` all stand in the message."""

    module: str
    options: Values
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.module}: {self.words[0]}"


def bad(module: str, *words: str, **options: Any) -> Bad:
    return Bad(module, options, words)


FARM: Values = {"display_name": "new", "zone": "gra", "port": 25}
SERVER: Values = {"farm": "smtp", "address": "192.0.2.12", "status": "active"}
FRONTEND: Values = {"display_name": "new", "zone": "gra", "port": "26", "default_farm": "smtp"}


def farm(*words: str, **options: Any) -> Bad:
    return bad("farm", *words, **{**FARM, **options})


def server(*words: str, **options: Any) -> Bad:
    return bad("server", *words, **{**SERVER, **options})


def frontend(*words: str, **options: Any) -> Bad:
    return bad("frontend", *words, **{**FRONTEND, **options})


def route(*words: str, **options: Any) -> Bad:
    entry: Values = {"display_name": "new", "frontend": "smtp", "action": {"type": "reject"}, "rules": RULES}
    return bad("route", *words, **{**entry, **options})


def whole(*words: str, **options: Any) -> Bad:
    return bad("load_balancer", *words, **options)


SOURCES: Values = {"allowed_source": ["192.0.2.0/24"], "denied_source": ["198.51.100.0/24"]}

NETWORK: Values = {"display_name": "mail", "subnet": "10.9.0.0/16", "nat_ip": "10.9.1.0/24", "refresh": False}
OUTSIDE: Values = {"nat_ip": "192.168.0.0/24"}
RULES: list[Values] = [{"field": "source", "match": "in", "pattern": "192.0.2.0/24"}]
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"

INPUTS = [
    # The service and its zones
    farm(
        'service_name: "loadbalancer-0"',
        "does not exist",
        "loadbalancer-0123456789abcdef",
        service_name="loadbalancer-0",
    ),
    farm("service_name is empty", "OVH_IPLB_SERVICE", service_name=""),
    farm("service_name is empty", "OVH_IPLB_SERVICE", service_name=" "),
    bad("load_balancer_info", "service_name is empty", service_name=""),
    bad("refresh", "service_name is empty", service_name=""),
    farm('"new"', 'zone "sbg" is not a zone of this service', "gra, rbx or all", zone="sbg"),
    farm("zone is empty", "gra", zone=""),
    frontend('"new"', 'zone "sbg" is not a zone of this service', zone="sbg", default_farm=None, refresh=False),
    bad("refresh", "zones: sbg is not a zone of this service", "gra, rbx or all", zones=["sbg"]),
    bad("refresh", "zones: sbg is not a zone of this service", zones=["all", "sbg"]),
    bad("refresh", "zones is empty", "leave it out", zones=[]),
    bad("refresh", "wait_timeout must be more than 0 seconds", "wait: false", wait_timeout=0),
    farm("wait_timeout must be more than 0 seconds", wait_timeout=-1),
    farm("timeout: -5 must be more than 0 seconds", timeout=-5),
    farm("retries: -1 must be 0 or more", retries=-1),
    # Ports
    farm('"new": port: 0', "1 to 49151", port=0),
    farm('"new": port: 70000', "1 to 49151", port=70000),
    farm("probe.port: 0", "1 to 49151", probe={"port": 0}),
    server("192.0.2.12: port: 70000", "1 to 49151", port=70000),
    server("192.0.2.12: port: 0", port=0),
    frontend('"new": port: 0', "1 to 49151", port="0"),
    frontend("port: 70000", "1 to 49151", port="70000"),
    frontend('range "25-20" must increase', "lower port first", port="25-20"),
    frontend('"abc" is not a port', "a port, a range a-b, or a comma list", port="abc"),
    frontend("is not a port", port="25,"),
    frontend("is not a port", port="25-26-27"),
    frontend("is not a port", port=""),
    # What a protocol or a probe does not have
    farm("balance does not exist for udp", "leave it out", protocol="udp", balance="source"),
    farm("probe does not exist for udp", protocol="udp", probe={"type": "smtp"}),
    farm("port can not be null", protocol="udp", port=None),
    bad("farm", "port is missing", display_name="new", zone="gra", protocol="udp"),
    server("weight does not exist for udp", protocol="udp", weight=1),
    server("cookie does not exist for tcp", cookie="a"),
    frontend("allowed_source does not exist for udp", protocol="udp", allowed_source=[]),
    frontend("hsts does not exist for tcp", hsts=True),
    farm('"uri" is not one of first, leastconn, roundrobin, source', balance="uri"),
    farm('"cookie" is not one of sourceIp', stickiness="cookie"),
    farm("negate needs", "probe.match", probe={"type": "smtp", "negate": True}),
    farm("probe.url does not exist for a probe of type smtp", probe={"type": "smtp", "url": "/up"}),
    farm("a probe of type smtp takes default, not contains", probe={"type": "smtp", "match": "contains"}),
    farm("20 seconds is too short", "30", probe={"type": "smtp", "interval": 20}),
    # Values
    server("192.0.2.12: weight: 300", "0 (receives nothing) to 256", weight=300),
    server("weight: -1", weight=-1),
    server('"2001:db8::1" is not an IPv4 address', address="2001:db8::1"),
    server('"mx1.example.com" is not an IPv4 address', address="mx1.example.com"),
    server('"" is not an IPv4 address', address=""),
    frontend("allowed_source and denied_source exclude each other", "[]", **SOURCES),
    frontend("denied_source", "exclude each other", display_name="smtp", port="25", denied_source=["192.0.2.0/24"]),
    frontend('"192.0.2.1/24" is not a network in CIDR form', allowed_source=["192.0.2.1/24"]),
    frontend('"example.com" is not a network', denied_source=["example.com"]),
    frontend("default_ssl_id: 0 is not an id", default_ssl_id=0),
    frontend("default_farm_id: 0 is not an id", default_farm_id=0, default_farm=...),
    server("chain is not in PEM form", chain="/etc/ssl/certs/ca.pem"),
    bad("certificate", "certificate is empty", "PEM", display_name="new", certificate="", key=PEM),
    # What is a number to Python and not to the API, and numbers without end
    farm('"new": port: true is not a number', "digits", port=True),
    farm('"new": probe.interval: true is not a number', probe={"interval": True}),
    server("weight: false is not a number", weight=False),
    bad("vrack_network", "vlan: true is not a number", vlan=True, **NETWORK),
    farm("farm_id -3 is not an id", farm_id=-3),
    farm("farm_id True is not an id", farm_id=True),
    frontend("frontend_id 0 is not an id", frontend_id=0),
    server("server_id -1 is not an id", server_id=-1),
    farm("timeout: nan must be more than 0 seconds", timeout="nan"),
    farm("timeout: inf must be more than 0 seconds", timeout="inf"),
    farm("wait_timeout must be more than 0 seconds", wait_timeout="nan"),
    farm("wait_timeout must be more than 0 seconds", wait_timeout="inf"),
    farm("calls_per_minute: nan must be more than 0", calls_per_minute="nan"),
    farm("calls_per_minute: 1e-10 is less than a call in an hour", calls_per_minute=1e-10),
    farm("timeout: 1e+300 must be more than 0 seconds, and 86400 (a day) at most", timeout=1e300),
    farm('endpoint "http://[::1" is unknown', endpoint="http://[::1"),
    # Routes and networks
    route("action.type is missing", "action is given whole", action={}),
    route("action.type is missing", action={"target": "7"}),
    route("action.farm is missing beside action.type: farm", "action.target", action={"type": "farm"}),
    route("action.farm is missing", action={"type": "farm", "farm": None}),
    route("action.farm is missing", action={"type": "farm", "target": ""}),
    route('route "new", rule: field is missing', rules=[{}]),
    route("match is missing", rules=[{"field": "source", "pattern": "192.0.2.0/24"}]),
    bad("vrack_network", "nat_ip 192.168.0.0/24 is not inside subnet 10.9.0.0/16", **{**NETWORK, **OUTSIDE}),
    bad("vrack_network", "vlan: 4095 is not a VLAN", "1 to 4094", vlan=4095, **NETWORK),
    bad("vrack_network", "vrack_network mail can not be created", "the service is in no vRack", **NETWORK),
    # Null and missing
    farm("zone can not be null", zone=None),
    bad("farm", "zone is missing", display_name="new"),
    bad("farm", "display_name is missing", "farm_id", zone="gra"),
    bad("frontend", "display_name is missing", "frontend_id", zone="gra"),
    bad("frontend", "port is missing", display_name="new", zone="gra", default_farm="smtp"),
    bad("frontend", "zone is missing", display_name="new", port="26", default_farm=None),
    bad("server", "farm is missing", "farm_id", address="192.0.2.12", status="active"),
    bad("server", "status is missing", farm="smtp", address="192.0.2.12"),
    server("address can not be null", address=None),
    # Default farms
    frontend('default_farm "nope" is not the name of a tcp farm', "create the farm first", default_farm="nope"),
    frontend(
        'default_farm "web" is not the name of a tcp farm', "correct the name or the protocol", default_farm="web"
    ),
    frontend("default_farm_id 99 is not a tcp farm", default_farm_id=99, default_farm=...),
    frontend("default_farm and default_farm_id exclude each other", default_farm_id=99),
    # The whole
    whole("purge_farms needs farms", "state: absent", purge_farms=True),
    whole("purge_farms needs farms", purge_farms=True, farms=[]),
    whole("purge_frontends needs frontends", purge_frontends=True, farms=[FARM]),
    whole("purge_frontends needs frontends", purge_frontends=True, frontends=[]),
    whole("purge_servers needs the servers", purge_servers=True, farms=[FARM]),
    whole(
        "purge_servers with an empty list",
        '"smtp"',
        purge_servers=True,
        farms=[{"display_name": "smtp", "servers": []}],
    ),
    whole("farms can not be null", farms=None),
    whole("frontends can not be null", frontends=None),
    whole("servers can not be null", '"smtp"', farms=[{"display_name": "smtp", "servers": None}]),
    whole("are the same object", "farms[0]", "farms[1]", farms=[FARM, FARM]),
    whole("are the same object", farms=[{"display_name": "smtp"}, {"display_name": "smtp", "zone": "gra"}]),
    whole("are the same object", "frontends[1]", frontends=[FRONTEND, FRONTEND]),
    whole(
        "stands twice",
        "192.0.2.12",
        farms=[{"display_name": "smtp", "servers": [{**SERVER, "farm": ...}, {**SERVER, "farm": ..., "port": 25}]}],
    ),
    whole(
        "farms[1]",
        "weight: 300",
        farms=[FARM, {"display_name": "smtp", "servers": [{"address": "192.0.2.12", "weight": 300}]}],
    ),
    # What can not be deployed, or not be awaited
    frontend("frontend tcp/gra/new would have no default farm", "refresh: false", default_farm=None),
    frontend("would have no default farm", display_name="smtp", port="25", default_farm=None),
    frontend("would have no default farm", default_farm=None, disabled=True),
    bad("frontend", "the service would have no frontend", "refresh: false", display_name="smtp", state="absent"),
    bad(
        "farm",
        "it is what frontend tcp/gra/smtp",
        "in one task of load_balancer",
        display_name="smtp",
        state="absent",
    ),
    whole("it is what frontend tcp/gra/smtp", farms=[FARM], purge_farms=True),
    server(
        "nothing probes tcp/gra/smtp/192.0.2.12:25, tcp/gra/smtp/192.0.2.11:25", "probe: true", wait_for_healthy=True
    ),
    farm("wait_for_healthy needs refresh: true", wait_for_healthy=True, refresh=False),
    farm("wait_for_healthy needs refresh: true and wait: true", wait_for_healthy=True, wait=False),
    # How the API is reached
    farm('endpoint "nowhere" is unknown', "ovh-eu", endpoint="nowhere"),
]


def written(options: Values) -> Values:
    """Options without those that the table takes away by ``...``."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(item) for name, item in value.items() if item is not ...}
        return [clean(item) for item in value] if isinstance(value, list) else value

    cleaned: Values = clean(options)
    return cleaned


def deploy(service: Service) -> Service:
    """A service that carries mail, and a farm of another protocol."""
    service.run(
        "load_balancer",
        farms=[
            {
                "display_name": "smtp",
                "zone": "gra",
                "port": 25,
                "servers": [{"address": "192.0.2.11", "status": "active"}],
            },
            {"display_name": "web", "zone": "gra", "protocol": "http"},
        ],
        frontends=[
            {
                "display_name": "smtp",
                "zone": "gra",
                "port": "25",
                "default_farm": "smtp",
                "allowed_source": ["192.0.2.0/24"],
            }
        ],
    )
    service.forget()
    return service


@pytest.fixture
def deployed(service: Service) -> Service:
    return deploy(service)


@pytest.fixture(scope="module")
def untouched(simulator: Running) -> Service:
    """The same for all bad input, as it changes nothing."""
    simulator.reset()
    return deploy(Service(simulator))


@pytest.mark.parametrize("case", INPUTS, ids=lambda case: case.name)
def test_bad_input_is_explained_and_nothing_is_written(untouched: Service, case: Bad) -> None:
    before = untouched.everything()
    for check in (True, False):
        message = untouched.fail(case.module, check=check, **written(case.options))
        missing = [word for word in case.words if word not in message]
        assert not missing, message
    assert untouched.writes() == []
    assert untouched.everything() == before


def test_what_can_not_be_deployed_can_be_staged(deployed: Service) -> None:
    assert deployed.run("frontend", display_name="smtp", default_farm=None, refresh=False)["changed"]
    assert not deployed.run("frontend", display_name="smtp", default_farm=None, refresh=False)["changed"]
    deployed.run("frontend", display_name="smtp", state="absent", refresh=False)
    deployed.run("farm", display_name="smtp", state="absent", refresh=False)
    assert not deployed.run("farm", display_name="smtp", state="absent", refresh=False)["changed"]
    assert set(deployed.everything()) == {"http/farm"}
    assert deployed.writes().count("POST refresh") == 0


@pytest.mark.parametrize("switch", ["refuse", "accept"])
@pytest.mark.parametrize(
    "task",
    [
        {"farms": [{"display_name": "routed", "state": "absent"}]},
        {"farms": [{"display_name": "smtp"}], "purge_farms": True},
    ],
    ids=["absent", "purge"],
)
def test_a_farm_that_a_route_leads_to_is_not_emptied(deployed: Service, task: Values, switch: str) -> None:
    deployed.simulator.switch(delete_used_farm=switch)
    servers = [{"address": "192.0.2.12", "status": "active"}]
    deployed.run("load_balancer", farms=[{"display_name": "routed", "zone": "gra", "port": 25, "servers": servers}])
    farm_id = next(item["farmId"] for item in deployed.staged("tcp/farm") if item["displayName"] == "routed")
    route = deployed.api("POST", "tcp/route", {"action": {"type": "farm", "target": str(farm_id)}})["routeId"]
    deployed.forget()
    for check in (True, False):
        message = deployed.fail("load_balancer", check=check, **task)
        assert "tcp/gra/routed can not be deleted: it is what route tcp/(unnamed)" in message
        assert f"({route}, action.farm)" in message
    assert deployed.writes() == []


def test_a_frontend_with_a_route_or_a_redirection_needs_no_farm(deployed: Service) -> None:
    frontend: Values = {"display_name": "redirect", "protocol": "http", "zone": "gra", "port": "80"}
    assert deployed.run("frontend", **frontend, redirect_location="https://www.example.com")["changed"]
    lonely = {**FRONTEND, "default_farm": None}
    made = deployed.run("frontend", **lonely, refresh=False)["frontends"][0]
    assert "no default farm" in deployed.fail("farm", display_name="smtp", balance="source")
    route = deployed.api("POST", "tcp/route", {"frontendId": made["frontend_id"], "action": {"type": "reject"}})
    rule = {"field": "source", "match": "in", "pattern": "192.0.2.0/24"}
    deployed.api("POST", f"tcp/route/{route['routeId']}/rule", rule)
    assert deployed.run("farm", display_name="smtp", balance="source")["refreshed_zones"] == ["gra"]


def test_a_frontend_does_not_leave_the_zone_of_its_farm(deployed: Service) -> None:
    deployed.simulator.switch(farm_frontend_zone_mismatch="accept")
    frontend = deployed.only("tcp/frontend")["frontendId"]
    for check in (True, False):
        message = deployed.fail("frontend", check=check, frontend_id=frontend, zone="rbx")
        assert "frontend tcp/gra/smtp would be in zone rbx, and its default_farm tcp/gra/smtp is in zone gra" in message
        assert "give default_farm such a farm, or move both in one task of load_balancer" in message
    assert deployed.writes() == []


def test_a_frontend_and_its_farm_move_together(deployed: Service) -> None:
    servers = [{"address": "192.0.2.11", "probe": False, "status": "inactive"}]
    farm, frontend = deployed.only("tcp/farm")["farmId"], deployed.only("tcp/frontend")["frontendId"]
    task: Values = {
        "farms": [
            {"farm_id": farm, "display_name": "smtp", "zone": "rbx", "replace": True, "servers": servers},
        ],
        "frontends": [{"frontend_id": frontend, "zone": "rbx"}],
    }
    assert deployed.run("load_balancer", **task)["changed"]
    assert deployed.only("tcp/farm")["zone"] == deployed.only("tcp/frontend")["zone"] == "rbx"
    assert deployed.only("tcp/frontend")["defaultFarmId"] == deployed.only("tcp/farm")["farmId"] != farm
    assert not deployed.run("load_balancer", **task)["changed"]
