# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a drift report finds on the load balancer. Pure. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._drift.finding import (
    LOAD_BALANCER,
    Sources,
    answer_server_key,
    as_text,
    is_unread,
    make_finding,
    pending_by_zone,
    server_health,
    without_nulls,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_load_balancer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Operation
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.planner import make_plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.probe import PROBE_FIELDS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FARM, FRONTEND, SERVER
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import PROTOCOLS, Resource, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import same
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._reason import reason

# Said of a PROXY setting that smtp.yml would refuse to change (role smtp_load_balancer, preflight).
CUTOVER_NOTE = (
    "where Postfix would change too, smtp.yml refuses this under live mail: use rollout.yml, or set allow_cutover: true"
)


def load_balancer_findings(sources: Sources) -> list[Values]:
    findings: list[Values] = []
    if sources.plan.get("failed") or "plan" not in sources.plan:
        message = reason(sources.plan) if sources.plan.get("failed") else "the load balancer was not compared"
        findings.append(make_finding(LOAD_BALANCER, "configuration", "failed", "unknown", note=message))
    for operation in sources.plan.get("plan") or ():
        findings += operation_findings(operation)
    findings += _pending_findings(sources)
    if is_unread(sources.info):
        message = reason(sources.info) if sources.info.get("failed") else "the load balancer was not read"
        findings.append(make_finding(LOAD_BALANCER, "objects", "failed", "unknown", note=message))
    return [*findings, *_health_findings(sources)]


def operation_findings(operation: t.Mapping[str, t.Any]) -> list[Values]:
    """One finding for each field that a planned update changes; one for an object that comes or goes as a whole."""
    where, name = LOAD_BALANCER, f"{operation['kind']} {operation['key']}"
    identifier = operation["id"]
    if operation["action"] == "create":
        return [make_finding(where, name, "missing", "drift", declared=without_nulls(operation["after"]))]
    if operation["action"] == "delete":
        return [make_finding(where, name, "surplus", "drift", identifier, found=without_nulls(operation["before"]))]
    return [
        make_finding(
            where,
            name,
            "changed",
            "drift",
            identifier,
            field,
            declared,
            found,
            _note(operation, field, declared, found),
        )
        for field, declared, found in _changed_fields(operation)
    ]


def _changed_fields(operation: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    for name, declared in operation["after"].items():
        found = operation["before"].get(name)
        if name == "probe" and isinstance(declared, dict) and isinstance(found, dict):
            yield from _changed_probe_fields(declared, found)
        else:
            yield name, declared, found


def _changed_probe_fields(declared: Values, found: Values) -> t.Iterator[tuple[str, t.Any, t.Any]]:
    for field in PROBE_FIELDS:
        wanted, current = declared.get(field.name), found.get(field.name)
        if not same(field, wanted, current):
            yield f"probe.{field.name}", wanted, current


def _note(operation: t.Mapping[str, t.Any], field: str, declared: t.Any, found: t.Any) -> str:
    # A server whose status changes too carries no mail now, or will not.
    under_live_mail = "status" not in operation["before"]
    turned_on_or_off = field == "proxy_protocol_version" and (declared is None) != (found is None)
    return CUTOVER_NOTE if turned_on_or_off and under_live_mail else ""


def _pending_findings(sources: Sources) -> list[Values]:
    """Changes of others that wait: drift in the zones that the playbook would refresh, a notice in the others.

    Where it would refuse instead, it is not known what a correction brings.
    """
    would_be = "unknown" if sources.plan.get("failed") else "drift"
    waiting = pending_by_zone(sources)
    reached = set(sources.plan.get("foreign_changes") or ()) if "plan" in sources.plan else set(waiting)
    waiting.update(sources.plan.get("foreign_changes") or {})
    return [
        make_finding(
            LOAD_BALANCER,
            f"zone {zone}",
            "pending",
            would_be if zone in reached else "notice",
            field="pending changes",
            declared=0,
            found=number,
            note="somebody else changed the configuration and did not refresh, or the last refresh failed: "
            "the API does not tell what is live",
        )
        for zone, number in sorted(waiting.items())
    ]


def _health_findings(sources: Sources) -> t.Iterator[Values]:
    for farm in sources.info.get("farms") or ():
        for server in farm["servers"]:
            if server.get("status") != "active":
                continue
            health = server_health(server)
            if health["state"] in ("down", "partly"):
                name = f"server {answer_server_key(farm, server)}"
                yield make_finding(
                    LOAD_BALANCER,
                    name,
                    "health",
                    "notice",
                    server["server_id"],
                    "health",
                    "UP",
                    health["text"],
                    health["content"],
                )


def unmanaged_objects(sources: Sources) -> list[Operation]:
    """What is there and not declared, and not about to be removed anyway: what a purge of everything would delete."""
    if is_unread(sources.info):
        return []
    going = {
        (operation["kind"], operation["protocol"], operation["id"])
        for operation in sources.plan.get("plan") or ()
        if operation["action"] == "delete"
    }
    try:
        desired = desired_load_balancer(dict(sources.declared))
        plan = make_plan(_purging(desired), snapshot_of(sources.info))
    except InvalidInput:
        # The module said so too, and the report says it as a finding of its own.
        return []
    return [
        operation
        for operation in plan.operations
        if operation.action == "delete" and (operation.resource.kind, operation.protocol, operation.id) not in going
    ]


def _purging(desired: Desired) -> Desired:
    return replace(
        desired, purge=frozenset({FARM.kind, SERVER.kind, FRONTEND.kind}), purge_protocols=frozenset(PROTOCOLS)
    )


def snapshot_of(info: t.Mapping[str, t.Any]) -> Snapshot:
    """The observed state from a result of load_balancer_info, which must not have failed."""
    snapshot = Snapshot(as_text(info["service"].get("service_name")), list(info["zones"]))
    for farm in info["farms"]:
        protocol = farm["protocol"]
        snapshot.of(FARM).append(_observed(FARM, protocol, farm))
        servers = [_observed(SERVER, protocol, server, farm["farm_id"]) for server in farm["servers"]]
        snapshot.of(SERVER).extend(servers)
    snapshot.of(FRONTEND).extend(_observed(FRONTEND, item["protocol"], item) for item in info["frontends"])
    return snapshot


def _observed(
    resource: Resource, protocol: str, answer: t.Mapping[str, t.Any], parent_id: int | None = None
) -> Observed:
    values = {field.name: answer.get(field.name) for field in resource.fields_for(protocol)}
    return Observed(resource, protocol, answer[resource.id_option], values, parent_id)


def unmanaged_finding(item: Operation, level: str) -> Values:
    return make_finding(
        LOAD_BALANCER,
        f"{item.resource.kind} {item.key}",
        "unmanaged",
        level,
        item.id,
        found=without_nulls(item.before),
        note="it is on the load balancer and in no declaration",
    )
