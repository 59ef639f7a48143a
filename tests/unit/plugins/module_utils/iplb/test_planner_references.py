# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is declared of networks, certificates, farms, frontends, routes and rules, and whatever was there before:
the plan reaches it, no write on the way leaves a reference that leads nowhere, and the next plan is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import desired_load_balancer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.material import read_material
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Operation, Ref
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.planner import make_plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Snapshot
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from simulator.pki import Authority

Values = dict[str, Any]
Key = tuple[str, str, int]

NAMES = ("a", "b")
MATERIALS = {name: [Authority().issue(f"{name}.example.com", days=days) for days in (30, 60, 90)] for name in NAMES}
# Where the API holds the id of another object.
LEADS = {"farm": {"vrack_network_id": "vrack_network"}, "route": {"frontend_id": "frontend"}}
LEADS["frontend"] = {"default_farm_id": "farm", "default_ssl_id": "certificate"}


@dataclass
class World:
    """A service in memory that refuses what would break a reference."""

    objects: dict[Key, Observed] = field(default_factory=dict)
    ids: count[int] = field(default_factory=lambda: count(1))
    new: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        snapshot = Snapshot("loadbalancer-0123456789abcdef", ["gra"])
        for item in self.objects.values():
            snapshot.of(item.resource).append(item)
        return snapshot

    def carry_out(self, operation: Operation) -> None:
        kind, protocol = operation.resource.kind, operation.protocol
        if operation.action == "delete":
            self._delete((kind, protocol, operation.id or 0))
            return
        values = {name: self._with_ids(value) for name, value in operation.values.items()}
        parent = self._id(operation.parent) if operation.parent else None
        if operation.action == "create":
            identifier = next(self.ids)
            self.new[kind, protocol, operation.key] = identifier
            values = {**_nothing(operation), **values}
        else:
            identifier = operation.id or 0
            values = {**self.objects[kind, protocol, identifier].values, **values}
        made = Observed(operation.resource, protocol, identifier, values, parent, _facts(values))
        for led_kind, led in _leads(made):
            assert any(key[0] == led_kind and key[2] == led for key in self.objects), f"{operation} leads nowhere"
        told = {known.name for known in operation.resource.fields if not known.write_only}
        kept = {name: value for name, value in values.items() if name in told}
        facts = made.facts or (self.objects[kind, protocol, identifier].facts if operation.action == "update" else {})
        self.objects[kind, protocol, identifier] = replace(made, values=kept, facts=facts)

    def _delete(self, key: Key) -> None:
        users = [item.name for item in self.objects.values() if (key[0], key[2]) in _leads(item)]
        assert not users, f"{key} is deleted, and {users} lead to it"
        self.objects = {
            known: item
            for known, item in self.objects.items()
            if known != key and not (item.resource.parent == key[0] and item.parent_id == key[2])
        }

    def _id(self, ref: Ref) -> int:
        return ref.id or self.new[ref.kind, ref.protocol, ref.key]

    def _with_ids(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return self._id(value)
        if isinstance(value, dict):
            # The API holds the id of an action's farm as text.
            return {name: str(self._id(item)) if isinstance(item, Ref) else item for name, item in value.items()}
        return value


def _nothing(operation: Operation) -> Values:
    fields = operation.resource.fields_for(operation.protocol)
    return {known.name: None if known.nullable else known.default for known in fields}


def _facts(values: Values) -> Values:
    if not values.get("certificate"):
        return {}
    material = read_material(values["certificate"], "")
    return {
        "fingerprint": sorted(material.fingerprints)[0],
        "san": sorted(material.names),
        "expire_date": material.expires.isoformat(),
        "type": "custom",
    }


def _leads(item: Observed) -> list[tuple[str, int]]:
    kind, values = item.resource.kind, item.values
    found = [(led, values[name]) for name, led in LEADS.get(kind, {}).items() if values.get(name)]
    action = values.get("action") or {}
    return [*found, ("farm", int(action["target"]))] if action.get("type") == "farm" else found


# Declarations


@st.composite
def declarations(draw: Any) -> Values:
    """A task that says of each object whether it is there, and leads only to what is."""
    there = {kind: draw(st.sets(st.sampled_from(NAMES))) for kind in ("network", "certificate", "farm", "frontend")}
    there["route"] = draw(st.sets(st.sampled_from(NAMES)))

    def one_of(kind: str) -> Any:
        return draw(st.sampled_from([None, *sorted(there[kind])]))

    def entry(kind: str, name: str, options: Values, protocol: str = "") -> Values:
        identity = {"display_name": name, **({"protocol": protocol} if protocol else {})}
        return {**identity, **options} if name in there[kind] else {**identity, "state": "absent"}

    networks = [
        entry("network", name, {"subnet": "10.9.0.0/16", "nat_ip": f"10.9.{draw(st.integers(1, 2))}.0/24"})
        for name in NAMES
    ]
    certificates = []
    for name in NAMES:
        material = MATERIALS[name][draw(st.integers(0, 2))]
        certificates.append(
            entry("certificate", name, {"certificate": material.certificate, "key": material.key}),
        )
    farms = [entry("farm", name, {"zone": "gra", "vrack_network": one_of("network")}, "http") for name in NAMES]
    frontends = [
        entry(
            "frontend",
            name,
            {"zone": "gra", "port": port, "default_farm": one_of("farm"), "default_ssl": one_of("certificate")},
            "http",
        )
        for name, port in zip(NAMES, ("80", "443"))
    ]
    routes = []
    for name in NAMES:
        farm = one_of("farm")
        patterns = draw(st.lists(st.sampled_from(("/x", "/y", "/z")), min_size=1, max_size=3, unique=True))
        options = {
            "frontend": one_of("frontend"),
            "weight": draw(st.integers(0, 2)),
            "action": {"type": "farm", "farm": farm} if farm else {"type": "reject", "status": 403},
            "rules": [{"field": "uri", "match": "is", "pattern": pattern} for pattern in patterns],
        }
        routes.append(entry("route", name, options, "http"))
    task = {
        "vrack_networks": networks,
        "certificates": certificates,
        "farms": farms,
        "frontends": frontends,
        "routes": routes,
    }
    if draw(st.booleans()):
        return {name: [item for item in items if draw(st.booleans())] for name, items in task.items()}
    return task


def go(world: World, task: Values) -> bool:
    """Carry a task out, write by write; False when it is refused, which must be before the first."""
    try:
        plan = make_plan(desired_load_balancer(task), world.snapshot())
    except InvalidInput:
        return False
    world.new.clear()
    for operation in plan.operations:
        world.carry_out(operation)
        event(f"{operation.action} {operation.resource.kind}")
    return True


@given(before=declarations(), task=declarations())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_declaration_is_reached_by_legal_writes_and_the_next_plan_is_empty(before: Values, task: Values) -> None:
    world = World()
    go(world, before)
    if not go(world, task):
        event("refused")
        return
    _check_reached(world, task)
    again = make_plan(desired_load_balancer(task), world.snapshot())
    assert [operation.report() for operation in again.operations] == []


def _check_reached(world: World, task: Values) -> None:
    for plural, entries in task.items():
        kind = plural.removesuffix("s")
        for entry in entries:
            found = [
                item
                for item in world.objects.values()
                if item.resource.kind == kind and item.name == entry["display_name"]
            ]
            assert bool(found) is (entry.get("state") != "absent"), f"{kind} {entry['display_name']}"
            if found and kind == "route":
                rules = [
                    item for item in world.objects.values() if item.parent_id == found[0].id and item.resource.parent
                ]
                patterns = {rule.values["pattern"] for rule in rules if rule.resource.kind == "rule"}
                assert patterns == {rule["pattern"] for rule in entry["rules"]}
                assert found[0].values["weight"] == entry["weight"]
            if found and kind == "frontend":
                farms = {key[2]: item.name for key, item in world.objects.items() if key[0] == "farm"}
                assert farms.get(found[0].values["default_farm_id"] or 0) == entry["default_farm"]
