# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every option of every module: set, set again, left out, reset with null, reset again.

What a user relies on: a second run changes nothing, an absent option is left alone, null resets, 0, false, "" and []
are values, and the modules for one object agree with the one for the whole service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import settings_options

from unit.plugins.modules.harness import MODULES, Service, Values

STAGE = {"refresh": False}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
OTHER_PEM = PEM.replace("MIIB", "MIIC")
SWITCHED_OFF: Any = object()


@dataclass(frozen=True)
class Case:
    """One option of one kind of object.

    ``values`` are set one after the other, each other than the one before; ``api`` is what the API then holds, where
    that is not the value itself. ``default`` is what it holds after null, SWITCHED_OFF where null is refused.
    ``beside`` stands in every task. ``switches`` are those of the simulator.
    """

    kind: str
    protocol: str
    option: str
    api_name: str
    values: tuple[Any, ...]
    default: Any = None
    api: tuple[Any, ...] = ()
    beside: Values = field(default_factory=dict)
    switches: Values = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.protocol} {self.kind} {self.option}"

    def expected(self) -> tuple[Any, ...]:
        return self.api or self.values


def farm(protocol: str, option: str, api_name: str, *values: Any, **more: Any) -> Case:
    return Case("farm", protocol, option, api_name, values, **more)


def server(protocol: str, option: str, api_name: str, *values: Any, **more: Any) -> Case:
    return Case("server", protocol, option, api_name, values, **more)


def frontend(protocol: str, option: str, api_name: str, *values: Any, **more: Any) -> Case:
    return Case("frontend", protocol, option, api_name, values, **more)


IN_VRACK = {"vrack": "active"}
BLOCKS = ["192.0.2.0/24", "198.51.100.7/32"]

CASES = [
    farm("tcp", "port", "port", 25, 1, 49151),
    farm("tcp", "balance", "balance", "first", "leastconn", "roundrobin", "source"),
    farm("tcp", "stickiness", "stickiness", "sourceIp"),
    farm("tcp", "vrack_network_id", "vrackNetworkId", 301, switches=IN_VRACK),
    farm("http", "balance", "balance", "uri", "leastconn"),
    farm("http", "stickiness", "stickiness", "cookie", "sourceIp"),
    farm("http", "port", "port", 80),
    farm("udp", "port", "port", 53, 54, default=SWITCHED_OFF),
    farm("udp", "vrack_network_id", "vrackNetworkId", 301, switches=IN_VRACK, beside={"port": 53}),
    server("tcp", "display_name", "displayName", "mx1", "mx2", ""),
    server("tcp", "status", "status", "inactive", "active", default=SWITCHED_OFF),
    server("tcp", "probe", "probe", True, False, True, default=False),
    server("tcp", "weight", "weight", 0, 256, 1, 0),
    server("tcp", "backup", "backup", True, False, True, default=False),
    server("tcp", "proxy_protocol_version", "proxyProtocolVersion", "v1", "v2", "v2-ssl", "v2-ssl-cn"),
    server("tcp", "on_marked_down", "onMarkedDown", "shutdown-sessions"),
    server("tcp", "ssl", "ssl", True, False, True, default=False),
    server("tcp", "chain", "chain", PEM, f"{OTHER_PEM}\n", api=(PEM, OTHER_PEM)),
    server("http", "cookie", "cookie", "mx1", ""),
    server("http", "proxy_protocol_version", "proxyProtocolVersion", "v2"),
    server("udp", "display_name", "displayName", "ns1"),
    server("udp", "status", "status", "inactive", default=SWITCHED_OFF),
    frontend("tcp", "zone", "zone", "rbx", "all", "GRA", default=SWITCHED_OFF, api=("rbx", "all", "gra")),
    frontend(
        "tcp",
        "port",
        "port",
        "465",
        "1-49151",
        " 587 ,25, 1000-2000,587",
        default=SWITCHED_OFF,
        api=("465", "1-49151", "25,587,1000-2000"),
    ),
    frontend("tcp", "allowed_source", "allowedSource", BLOCKS, BLOCKS[:1], ["2001:db8::/32"], [], BLOCKS, default=[]),
    frontend(
        "tcp",
        "denied_source",
        "deniedSource",
        BLOCKS,
        [],
        ["203.0.113.9"],
        default=[],
        api=(BLOCKS, [], ["203.0.113.9/32"]),
    ),
    frontend(
        "tcp",
        "dedicated_ipfo",
        "dedicatedIpfo",
        ["127.0.0.3/32"],
        [],
        ["127.0.0.3"],
        default=[],
        api=(["127.0.0.3/32"], [], ["127.0.0.3/32"]),
    ),
    frontend("tcp", "disabled", "disabled", True, False, True, default=False),
    frontend("tcp", "ssl", "ssl", True, False, True, default=False),
    frontend("tcp", "default_ssl_id", "defaultSslId", 401),
    frontend("http", "hsts", "hsts", True, False, True, default=False),
    frontend("http", "http_header", "httpHeader", ["X-Ip %ci", "X-Port %cp"], [], ["X-Ip %ci"], default=[]),
    frontend("http", "redirect_location", "redirectLocation", "https://www.example.com", "https://example.com"),
    frontend("udp", "port", "port", "53", default=SWITCHED_OFF),
    frontend("udp", "dedicated_ipfo", "dedicatedIpfo", ["127.0.0.3/32"], default=[]),
    frontend("udp", "disabled", "disabled", True, default=False),
]

# Options that say which object is meant, what is to happen to it, or how it is reached; the tests below and those of
# the API errors are about them.
IDENTITY = {
    "farm": {"display_name", "farm_id", "protocol", "zone", "state", "probe", "vrack_network", "replace"},
    "server": {"farm", "farm_id", "protocol", "zone", "address", "server_id", "port", "state"},
    "frontend": {"display_name", "frontend_id", "protocol", "state", "default_farm", "default_farm_id", "default_ssl"},
}


def spec(module: str) -> Values:
    found: Values = import_module(f"{MODULES}.{module}").argument_spec()
    return found


@pytest.mark.parametrize("kind", sorted(IDENTITY))
def test_the_matrix_covers_every_option(kind: str) -> None:
    shared = set(spec("service")) - set(settings_options())
    own = set(spec(kind)) - shared
    covered = {case.option for case in CASES if case.kind == kind}
    assert covered | IDENTITY[kind] == own


class Object:
    """The object of a case, as a task for its own module and for load_balancer."""

    def __init__(self, service: Service, case: Case) -> None:
        self.service = service
        self.case = case

    def prepare(self) -> None:
        """A farm for a server to be in, and the object with nothing but what it needs."""
        if self.case.kind == "server":
            self.service.run("farm", **STAGE, **self.farm())
        self.service.run(self.case.kind, **STAGE, **self.task(), **self.needed())

    def task(self, **options: Any) -> Values:
        identity = self._farm_reference() if self.case.kind == "server" else self._identity()
        return {**identity, **self.case.beside, **options}

    def run(self, **options: Any) -> Values:
        return self.service.run(self.case.kind, **STAGE, **self.task(**options))

    def check(self, **options: Any) -> Values:
        return self.service.run(self.case.kind, check=True, **STAGE, **self.task(**options))

    def run_whole(self, **options: Any) -> Values:
        """The same in a task for the whole service."""
        if self.case.kind == "server":
            servers = [{"address": "192.0.2.11", **self.case.beside, **options}]
            return self.service.run("load_balancer", **STAGE, farms=[{**self.farm(), "servers": servers}])
        entry = {**self._identity(), **self.case.beside, **options}
        return self.service.run("load_balancer", **STAGE, **{f"{self.case.kind}s": [entry]})

    def stored(self) -> Any:
        value = self.service.only(f"{self.case.protocol}/{self.case.kind}")[self.case.api_name]
        return sorted(value) if isinstance(value, list) else value

    def _identity(self) -> Values:
        identity = {"display_name": "mail", "protocol": self.case.protocol}
        # A frontend is found by zone too, so that one whose zone changes is named without it.
        return identity if self.case.kind == "frontend" else {**identity, "zone": "gra"}

    def farm(self) -> Values:
        port = {"port": 53} if self.case.protocol == "udp" else {}
        return {"display_name": "mail", "protocol": self.case.protocol, "zone": "gra", **port}

    def _farm_reference(self) -> Values:
        return {"farm": "mail", "protocol": self.case.protocol, "address": "192.0.2.11"}

    def needed(self) -> Values:
        if self.case.kind == "server":
            return {"status": "active"}
        if self.case.kind == "frontend":
            return {"zone": "gra", "port": "25"}
        return {"port": 52} if (self.case.protocol, self.case.option) == ("udp", "port") else {}


def by_id(item: Service, wanted: Object) -> Values:
    """The option that names the object by its id."""
    stored = item.only(f"{wanted.case.protocol}/{wanted.case.kind}")
    return {f"{wanted.case.kind}_id": stored[f"{wanted.case.kind}Id"]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_option_is_set_kept_and_reset(service: Service, case: Case) -> None:
    service.simulator.reset(**case.switches)
    item = Object(service, case)
    item.prepare()
    item.service.forget()
    changes_zone = case.option == "zone"
    identity = by_id(service, item) if changes_zone else {}

    for value, expected in zip(case.values, case.expected()):
        option = {case.option: value}
        before = item.stored()
        planned = item.check(**option, **identity)
        assert planned["changed"], f"check mode sees nothing to do for {option}"
        assert item.stored() == before, "check mode wrote"
        done = item.run(**option, **identity)
        assert done["changed"]
        assert done["plan"] == planned["plan"]
        (operation,) = done["plan"]
        # What an id refers to is told by name.
        shown = case.option.removesuffix("_id")
        assert (operation["action"], set(operation["after"])) == ("update", {shown})
        assert item.stored() == (sorted(expected) if isinstance(expected, list) else expected)
        assert not item.run(**option, **identity)["changed"], f"second run with {option}"
        if isinstance(value, list):
            assert not item.run(**{case.option: value[::-1]})["changed"], "the order of a list does not count"
        if not changes_zone:
            assert not item.run_whole(**option)["changed"], f"load_balancer differs about {option}"
        assert not item.run()["changed"], "an absent option was not left alone"

    if case.default is SWITCHED_OFF:
        message = service.fail(case.kind, **STAGE, **item.task(**{case.option: None}))
        assert f"{case.option} can not be null" in message
        return
    assert item.run_whole(**{case.option: None})["changed"]
    assert item.stored() in (case.default, None)
    assert not item.run(**{case.option: None})["changed"]
    assert not item.run_whole(**{case.option: None})["changed"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_object_is_created_with_the_option(service: Service, case: Case) -> None:
    service.simulator.reset(**case.switches)
    item = Object(service, case)
    if case.kind == "server":
        service.run("farm", **STAGE, **item.farm())
    value, expected = case.values[0], case.expected()[0]
    options = {**item.needed(), case.option: value}
    created = item.run(**options)
    assert [operation["action"] for operation in created["plan"]] == ["create"]
    assert item.stored() == (sorted(expected) if isinstance(expected, list) else expected)
    assert not item.run(**options)["changed"]
    deleted = item.run(state="absent")
    assert [operation["action"] for operation in deleted["plan"]] == ["delete"]
    assert not item.run(state="absent")["changed"]
    assert service.staged(f"{case.protocol}/{case.kind}") == []
