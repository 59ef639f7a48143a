# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create, list, read, change and delete: the same five handlers for every row of the table."""

from __future__ import annotations

from typing import Any

from .call import Call, Handler, Operation
from .configuration import Record, evaluation_order
from .errors import ApiError, not_found
from .haproxy.words import server_cookie
from .listing import filters, fits, is_bulk, page
from .schema import MOST_ROUTES, MOST_RULES, PROBE_FIELDS, RESOURCES, Resource
from .validation import created, updated

OLD_FLAGS = ("backup", "probe", "ssl")
BLOCK_LISTS = ("allowedSource", "deniedSource", "dedicatedIpfo")


def operations(base: str) -> list[Operation]:
    return [operation for resource in RESOURCES for operation in _operations(base, resource)]


def _operations(base: str, resource: Resource) -> list[Operation]:
    def operation(method: str, path: str, handler: Handler, verb: str) -> Operation:
        return Operation(method, f"{base}/{path}", handler, f"loadbalancer:apiovh:{resource.action}/{verb}")

    async def list_all(call: Call) -> list[Any]:
        return listing(call, resource)

    async def create(call: Call) -> dict[str, Any]:
        return view(call, create_record(call, resource))

    async def read(call: Call) -> dict[str, Any]:
        return view(call, wanted(call, resource))

    async def change(call: Call) -> None:
        record = wanted(call, resource)
        change_record(call, record, view(call, record))

    async def delete(call: Call) -> None:
        delete_record(call, wanted(call, resource))

    return [
        operation("GET", resource.collection, list_all, "get"),
        operation("POST", resource.collection, create, "create"),
        operation("GET", resource.item, read, "get"),
        operation("PUT", resource.item, change, "edit"),
        operation("DELETE", resource.item, delete, "delete"),
    ]


def wanted(call: Call, resource: Resource) -> Record:
    """The object that the path names; 404 if it or its parent is not there."""
    parent = parent_id(call, resource)
    id_ = call.id(resource.id_field)
    record = call.sim.state.staged.find(resource.name, id_, parent)
    if record is None:
        raise not_found(resource.id_field, id_)
    return record


def parent_id(call: Call, resource: Resource) -> int | None:
    return wanted(call, resource.parent).id if resource.parent else None


def listing(call: Call, resource: Resource) -> list[Any]:
    parent = parent_id(call, resource)
    conditions = filters(call, resource.filters)
    records = call.sim.state.staged.select(resource.name, parent)
    ordered = in_order(call, resource, [record for record in records if fits(conditions, record.values)])
    if is_bulk(call):
        return page(call, lambda: [view(call, record) for record in ordered])
    return [record.id for record in ordered]


def in_order(call: Call, resource: Resource, records: list[Record]) -> list[Record]:
    """Routes come in evaluation order, everything else in any."""
    if resource.kind != "route":
        return call.sim.shuffled(records)
    return sorted(records, key=evaluation_order)


def create_record(call: Call, resource: Resource) -> Record:
    sim = call.sim
    parent = parent_id(call, resource)
    refuse_during_refresh(call)
    refuse_too_many(call, resource, parent)
    values = created(call.body, resource, parent, sim)
    record = Record(resource, next(sim.ids), parent, values)
    sim.state.staged.add(record)
    sim.touch(record, sim.state.staged.zone_of(record))
    return record


def change_record(call: Call, record: Record, shown: dict[str, Any]) -> None:
    """``shown``: as a GET answers it."""
    sim = call.sim
    refuse_during_refresh(call)
    values = updated(call.body, record, shown, sim)
    if values == record.values and not sim.switches.on("noop_put_counts"):
        return
    before = sim.state.staged.zone_of(record)
    record.values = values
    sim.touch(record, before, sim.state.staged.zone_of(record))


def delete_record(call: Call, record: Record) -> None:
    sim = call.sim
    refuse_during_refresh(call)
    if record.resource.kind == "farm":
        refuse_used_farm(call, record)
    sim.touch(record, sim.state.staged.zone_of(record))
    sim.state.staged.remove(record)
    if record.resource.kind in ("farm", "frontend"):
        for kind in ("frontend", "route"):
            for other in sim.state.staged.kind(kind):
                detach(other, record)


def refuse_used_farm(call: Call, farm: Record) -> None:
    users = users_of(call, farm)
    if users and call.sim.switches["delete_used_farm"] == "refuse":
        raise ApiError(409, f"This object is used by {', '.join(users)}")


def users_of(call: Call, farm: Record) -> list[str]:
    """Servers, frontends and routes of a farm, by kind and id."""
    staged, protocol = call.sim.state.staged, farm.resource.protocol
    servers = staged.select(f"{protocol}/server", farm.id)
    frontends = [one for one in staged.select(f"{protocol}/frontend") if one.values["defaultFarmId"] == farm.id]
    routes = [one for one in staged.select(f"{protocol}/route") if one.values["action"]["target"] == str(farm.id)]
    return [f"{record.resource.kind} {record.id}" for record in (*servers, *frontends, *routes)]


def detach(record: Record, deleted: Record) -> None:
    for name in ("defaultFarmId", "frontendId"):
        if record.values.get(name) == deleted.id:
            record.values = {**record.values, name: None}


def refuse_during_refresh(call: Call) -> None:
    if call.sim.refresh_running() and call.sim.switches["writes_during_refresh"] == "refuse":
        raise ApiError(409, "A refresh is running on this service")


def refuse_too_many(call: Call, resource: Resource, parent: int | None) -> None:
    staged = call.sim.state.staged
    if resource.kind == "route" and len(list(staged.kind("route"))) >= MOST_ROUTES:
        raise ApiError(400, f"A load balancer has at most {MOST_ROUTES} routes")
    if resource.kind == "rule" and len(staged.select(resource.name, parent)) >= MOST_RULES:
        raise ApiError(400, f"A route has at most {MOST_RULES} rules")


def view(call: Call, record: Record) -> dict[str, Any]:
    """The object as answered: every field, nulls explicit."""
    resource = record.resource
    values = {**record.values, resource.id_field: record.id}
    if resource.parent_field:
        values[resource.parent_field] = record.parent
    for name in BLOCK_LISTS:
        if values.get(name):
            values[name] = call.sim.shuffled(values[name])
    if resource.kind == "route":
        values |= {"rules": rules_of(call, record), "status": "ok"}
    if resource.kind == "farm" and "probe" in values and values["probe"] is None:
        values["probe"] = empty_probe(call)
    if resource.kind == "server" and call.sim.switches.on("null_flags"):
        values |= {name: values[name] or None for name in OLD_FLAGS if name in values}
    if values.get("cookie", "") is None and call.sim.switches["generated_cookie"] == "shown":
        values["cookie"] = generated_cookie(call, record)
    if "serverState" in resource.by_name:
        add_server_state(call, record, values)
    return dict(sorted(values.items()))


def generated_cookie(call: Call, server: Record) -> str | None:
    farm = call.sim.state.staged.records[server.parent or 0]
    return server_cookie(server) if farm.values["stickiness"] == "cookie" else None


def empty_probe(call: Call) -> dict[str, Any] | None:
    fields = dict.fromkeys(field.name for field in PROBE_FIELDS)
    return {"null": None, "empty": {}, "fields": fields}[call.sim.switches["empty_probe"]]


def add_server_state(call: Call, record: Record, values: dict[str, Any]) -> None:
    states = call.context.health.states(record)
    missing = call.sim.switches["server_state_missing"]
    if states or missing == "empty":
        values["serverState"] = states
    elif missing == "null":
        values["serverState"] = None


def rules_of(call: Call, route: Record) -> list[dict[str, Any]]:
    """The copy inside a route has no displayName."""
    rules = call.sim.state.staged.select(f"{route.resource.protocol}/rule", route.id)
    shown = [{**rule.values, "ruleId": rule.id} for rule in rules]
    for rule in shown:
        del rule["displayName"]
    return shown
