# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of every field of every resource, generated from the table.

Created with it, run again, changed, run again, reset with null, run again, deleted, run again; at each step what check
mode predicted is what the run did. The values of the options that ``test_option_matrix.py`` tries one after the other
are found here by their type, so that a new row of the table is tried without a new case.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import PROTOCOLS, Field, Resource

from unit.plugins.modules.harness import Service, Values

STAGE = {"refresh": False}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
STEPS = ("created", "changed", "reset", "deleted")

BY_TYPE: dict[str, tuple[Any, Any]] = {
    "bool": (True, False),
    "int": (2, 1),
    "str": ("one", "two"),
    "list": (["one"], ["one", "two"]),
}
# Two values where the type and the choices of a field do not tell which it takes.
VALUES: dict[str, tuple[Any, Any]] = {
    "zone": ("gra", "rbx"),
    "port": (2525, 2526),
    "frontend.port": ("25", "465,1000-2000"),
    "probe": ({"type": "tcp"}, {"type": "tcp", "interval": 60}),
    "server.probe": (True, False),
    "vrack_network_id": (301, 301),
    "weight": (5, 0),
    "server.chain": (PEM, PEM.replace("MIIB", "MIIC")),
    "allowed_source": (["192.0.2.0/24"], []),
    "denied_source": (["192.0.2.0/24", "2001:db8::/32"], ["192.0.2.0/24"]),
    "dedicated_ipfo": (["127.0.0.3/32"], []),
    "http_header": (["X-Ip %ci"], ["X-Port %cp", "X-Ip %ci"]),
    "redirect_location": ("https://www.example.com", "https://example.com"),
    "default_ssl_id": (401, 401),
    "address": ("192.0.2.11", "192.0.2.12"),
    "default_farm_id": ("FARM", "OTHER FARM"),
    "frontend_id": ("FRONTEND", "OTHER FRONTEND"),
    "action": ({"type": "reject"}, {"type": "farm", "farm": "mail"}),
    "rule.field": ("protocol", "source"),
    "subnet": ("10.9.0.0/16", "10.8.0.0/16"),
    "nat_ip": ("10.9.1.0/24", "10.9.2.0/24"),
    "vlan": (7, 0),
}
# Fields that have no life of their own, and where they are tried.
ELSEWHERE = {
    "certificate": "test_resources.py: its material is its identity",
    "rule": "test_resources.py: rules belong to their route whole",
}
IN_VRACK = {"vrack_network", "farm.vrack_network_id"}
# What an object needs beside its field to be created.
NEEDS: dict[str, Values] = {
    "vrack_network": {"display_name": "it", "subnet": "10.9.0.0/16", "nat_ip": "10.9.1.0/24"},
    "farm": {"display_name": "it", "zone": "gra"},
    "server": {"farm": "mail", "address": "192.0.2.11", "status": "active"},
    "frontend": {"display_name": "it", "zone": "gra", "port": "25"},
    "route": {
        "display_name": "it",
        "action": {"type": "reject"},
        "rules": [{"field": "source", "match": "in", "pattern": "192.0.2.0/24"}],
    },
}
IDENTITY = {"server": ("farm", "address")}
# What is part of how an object is found: then it is named by its id.
FOUND_BY = {("farm", "zone"), ("frontend", "zone"), ("server", "port")}


@dataclass(frozen=True)
class Life:
    resource: Resource
    protocol: str
    field: Field

    @property
    def name(self) -> str:
        return f"{self.protocol or 'any'} {self.resource.kind} {self.field.name}"

    @property
    def values(self) -> tuple[Any, Any]:
        own = VALUES.get(f"{self.resource.kind}.{self.field.name}") or VALUES.get(self.field.name)
        if own:
            return own
        if not self.field.choices:
            return BY_TYPE[self.field.type]
        first, *others = self.field.choices_for(self.protocol)
        return first, others[0] if others else first

    @property
    def is_identity(self) -> bool:
        return self.field.name in IDENTITY.get(self.resource.kind, ("display_name",))

    @property
    def resets(self) -> bool:
        return self.protocol not in self.field.required and not self.is_identity


LIVES = [
    Life(resource, protocol, field)
    for resource in RESOURCES
    if resource.kind not in ELSEWHERE
    for protocol in resource.protocols
    for field in resource.fields_for(protocol)
]
CELLS = list(itertools.product(LIVES, STEPS))


def test_every_field_of_the_table_has_a_life_here_or_elsewhere() -> None:
    everything = {(resource.kind, field.name) for resource in RESOURCES for field in resource.fields}
    here = {(life.resource.kind, life.field.name) for life in LIVES}
    assert {kind for kind, _name in everything - here} == set(ELSEWHERE)
    assert len(CELLS) == len(LIVES) * len(STEPS) > 200


class Living:
    """One object whose life is followed, through its own module."""

    def __init__(self, service: Service, life: Life) -> None:
        self.service, self.life = service, life
        in_vrack = {life.resource.kind, f"{life.resource.kind}.{life.field.name}"} & IN_VRACK
        service.simulator.reset(**({"vrack": "active"} if in_vrack else {}))
        protocol = {"protocol": life.protocol} if life.protocol in PROTOCOLS else {}
        needs = {**NEEDS[life.resource.kind], **protocol}
        if life.resource.kind == "farm" and life.protocol == "udp":
            needs["port"] = 53
        self.needs = needs
        self.references: Values = {}
        if life.protocol in PROTOCOLS:
            self._prepare(protocol)

    def _prepare(self, protocol: Values) -> None:
        """What the object may belong or refer to."""
        port = {"port": 53} if self.life.protocol == "udp" else {}
        farms = [{"display_name": name, "zone": "gra", **protocol, **port} for name in ("mail", "other")]
        frontends = [
            {"display_name": name, "zone": "gra", "port": port, **protocol}
            for name, port in (("mail", "26"), ("other", "27"))
        ]
        made = self.service.run("load_balancer", **STAGE, farms=farms, frontends=frontends)
        ids = [item["farm_id"] for item in made["farms"]] + [item["frontend_id"] for item in made["frontends"]]
        self.references = dict(zip(("FARM", "OTHER FARM", "FRONTEND", "OTHER FRONTEND"), ids))

    def value(self, place: int) -> Any:
        value = self.life.values[place]
        return self.references.get(value, value) if isinstance(value, str) else value

    @property
    def identity(self) -> Values:
        names = ("protocol", *IDENTITY.get(self.life.resource.kind, ("display_name",)))
        return {name: self.needs[name] for name in names if name in self.needs}

    def step(self, name: str, changes: bool, **options: Any) -> Values:
        """A step, foretold by check mode, and with nothing to do when it is taken again."""
        kind = self.life.resource.kind
        before = self.service.everything()
        planned = self.service.run(kind, check=True, **STAGE, **options)
        assert self.service.everything() == before, f"{name}: check mode wrote"
        done = self.service.run(kind, **STAGE, **options)
        assert planned["changed"] is done["changed"] is changes, name
        assert done["diff"] == planned["diff"], name
        assert [_without_id(item) for item in done["plan"]] == [_without_id(item) for item in planned["plan"]], name
        assert not self.service.run(kind, **STAGE, **options)["changed"], f"{name}: the second run"
        return done


def _without_id(report: Values) -> Values:
    return {**report, "id": None} if report["action"] == "create" else report


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_field_lives_as_check_mode_foretells(service: Service, life: Life) -> None:
    living = Living(service, life)
    name, first, second = life.field.name, living.value(0), living.value(1)
    made = living.step("created", True, **{**living.needs, name: first})
    identity = {**living.identity, **({name: first} if life.is_identity else {})}
    if (life.resource.kind, name) in FOUND_BY:
        del identity["address" if life.resource.kind == "server" else "display_name"]
        identity[life.resource.id_option] = made["plan"][0]["id"]
    if life.field.create_only:
        if not life.is_identity:
            message = service.fail(life.resource.kind, **STAGE, **{**identity, name: second})
            assert "can not change" in message
    elif not life.is_identity:
        living.step("changed", first != second, **{**identity, name: second})
        if life.resets:
            differs = second not in (life.field.default, None, [], "")
            living.step("reset", differs, **{**identity, name: None})
        else:
            assert "can not be null" in service.fail(life.resource.kind, **STAGE, **{**identity, name: None})
    assert made["plan"][0]["after"].keys() >= {name.removesuffix("_id")} or first in (life.field.default, [], "")
    living.step("deleted", True, **identity, state="absent")
