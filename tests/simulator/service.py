# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs to the service as a whole: zones, natIp, pending changes, refresh, tasks, quota, catalogues."""

from __future__ import annotations

from typing import Any

from .call import Call, Operation
from .catalogue import farm_probes, route_actions, route_rules
from .configuration import ALL
from .errors import not_found
from .field_types import check, known_keys
from .listing import filters, fits, listed
from .schema import QUOTA_FIELDS, Field
from .validation import update_fields, updated
from .vrack import vrack_name

BALANCING = "/ipLoadbalancing"


def operations(base: str) -> list[Operation]:
    def get(path: str, handler: Any) -> Operation:
        action = path.split("/{")[0]
        return Operation("GET", f"{base}/{path}", handler, f"loadbalancer:apiovh:{action}/get")

    prefix = "loadbalancer:apiovh:"
    return [
        Operation("GET", BALANCING, list_services, f"{prefix}get"),
        Operation("GET", base, get_service, f"{prefix}get"),
        Operation("PUT", base, put_service, f"{prefix}put"),
        Operation("POST", f"{base}/refresh", post_refresh, f"{prefix}refresh"),
        Operation("PUT", f"{base}/quota/{{zone}}", put_quota, f"{prefix}quota/edit"),
        get("zone", list_zones),
        get("zone/{name}", get_zone),
        get("natIp", get_nat_ip),
        get("pendingChanges", get_pending_changes),
        get("task", list_tasks),
        get("task/{id}", get_task),
        get("quota", list_quota),
        get("quota/{zone}", get_quota),
        get("quotaHistory", list_quota_history),
        get("quotaHistory/{id}", get_quota_history),
        get("failover", get_failover),
        get("availableFarmProbes", get_available_probes),
        get("availableFarmType", get_protocols),
        get("availableFrontendType", get_protocols),
        get("availableRouteActions", get_available_actions),
        get("availableRouteRules", get_available_rules),
        get("definedFarms", get_defined_farms),
        get("definedFrontends", get_defined_frontends),
        get("definedRoutes", get_defined_routes),
        get("status", get_status),
        get("serviceInfos", get_service_infos),
    ]


# The service


async def list_services(call: Call) -> list[Any]:
    return listed(call, {call.sim.settings.service: service(call)})


async def get_service(call: Call) -> dict[str, Any]:
    return service(call)


def service(call: Call) -> dict[str, Any]:
    sim = call.sim
    name = sim.settings.service
    iam: dict[str, Any] = {
        "displayName": sim.service.values["displayName"] or name,
        "id": "00000000-0000-4000-8000-000000000001",
        "state": "OK",
        "tags": {},
        "urn": f"urn:v1:eu:resource:loadbalancer:{name}",
    }
    return {
        **sim.service.values,
        "iam": iam,
        "ipLoadbalancing": sim.settings.address,
        "ipv4": sim.settings.address,
        "ipv6": None,
        "metricsToken": None,
        "offer": "lb2",
        "orderableZone": [],
        "serviceName": name,
        "state": "ok",
        "vrackEligibility": True,
        "vrackName": vrack_name(sim),
        "zone": sim.shuffled(sim.zone_names),
    }


async def put_service(call: Call) -> None:
    """The name is for people; how TLS is spoken waits for a refresh."""
    sim = call.sim
    before = sim.service.values
    sim.service.values = updated(call.body, sim.service, service(call), sim)
    if sim.service.values["sslConfiguration"] != before["sslConfiguration"]:
        sim.touch(sim.service, ALL)


async def list_zones(call: Call) -> list[Any]:
    return listed(call, {name: zone(name) for name in call.sim.zone_names})


async def get_zone(call: Call) -> dict[str, Any]:
    return zone(wanted_zone(call, "name"))


def zone(name: str) -> dict[str, Any]:
    return {"name": name, "state": "ok"}


def wanted_zone(call: Call, parameter: str) -> str:
    name = str(call.request.path_params[parameter])
    if name not in call.sim.zone_names:
        raise not_found(parameter, name)
    return name


async def get_nat_ip(call: Call) -> list[dict[str, Any]]:
    return [{"ip": list(zone.nat_ip), "zone": zone.name} for zone in call.sim.settings.zones]


async def get_failover(call: Call) -> list[str]:
    return call.sim.shuffled(list(call.sim.settings.failover))


# Changes, refresh, tasks


async def get_pending_changes(call: Call) -> list[dict[str, Any]]:
    return call.sim.shuffled(call.sim.pending_changes())


async def post_refresh(call: Call) -> dict[str, Any]:
    zone_field = Field("zone", "zone")
    body = known_keys(call.body, {"zone": zone_field}, call.sim)
    return call.context.refresher.refresh(check(zone_field, body.get("zone"), None, call.sim)).view()


TASK_FILTERS = {
    "action": "=",
    "creationDate.from": ">=",
    "creationDate.to": "<=",
    "doneDate.from": ">=",
    "doneDate.to": "<=",
    "status": "=",
}


async def list_tasks(call: Call) -> list[Any]:
    return listed(call, {task.id: task.view() for task in call.sim.state.tasks.values()}, TASK_FILTERS)


async def get_task(call: Call) -> dict[str, Any]:
    task = call.sim.state.tasks.get(call.id("id"))
    if task is None:
        raise not_found("id", call.id("id"))
    return task.view()


# Quota


async def list_quota(call: Call) -> list[Any]:
    return listed(call, {name: quota(call, name) for name in call.sim.zone_names})


async def get_quota(call: Call) -> dict[str, Any]:
    return quota(call, wanted_zone(call, "zone"))


async def put_quota(call: Call) -> None:
    name = wanted_zone(call, "zone")
    changes = update_fields(call.body, QUOTA_FIELDS, quota(call, name), call.sim)
    if "alert" in changes:
        call.sim.state.quota_alert[name] = changes["alert"]


def quota(call: Call, name: str) -> dict[str, Any]:
    return {
        "alert": call.sim.state.quota_alert.get(name),
        "included": None,
        "lastUpdateDate": call.sim.date(),
        "resetDate": "2036-01-01T00:00:00+01:00",
        "total": 0,
        "zone": name,
    }


async def list_quota_history(call: Call) -> list[Any]:
    known = {"historizedDate.from": ">=", "historizedDate.to": "<=", "zone": "="}
    return listed(call, {entry["id"]: entry for entry in quota_history(call)}, known)


async def get_quota_history(call: Call) -> dict[str, Any]:
    for entry in quota_history(call):
        if entry["id"] == call.id("id"):
            return entry
    raise not_found("id", call.id("id"))


def quota_history(call: Call) -> list[dict[str, Any]]:
    """One finished month in each zone."""
    date = {"historizedDate": "2026-01-01", "lastUpdateDate": "2026-01-01", "resetDate": "2026-01-01"}
    return [{**date, "id": 501 + number, "total": 0, "zone": name} for number, name in enumerate(call.sim.zone_names)]


# Catalogues


async def get_protocols(call: Call) -> list[str]:
    return ["tcp", "http", "udp"]


async def get_available_probes(call: Call) -> list[dict[str, Any]]:
    return farm_probes()


async def get_available_actions(call: Call) -> list[dict[str, Any]]:
    return route_actions(call.sim)


async def get_available_rules(call: Call) -> list[dict[str, Any]]:
    return route_rules(call.sim)


async def get_defined_farms(call: Call) -> list[dict[str, Any]]:
    conditions = filters(call, {"vrackNetworkId": "="})
    return call.sim.shuffled(
        [
            {"id": farm.id, "type": farm.resource.protocol}
            for farm in call.sim.state.staged.kind("farm")
            if fits(conditions, farm.values)
        ]
    )


async def get_defined_frontends(call: Call) -> list[dict[str, Any]]:
    return call.sim.shuffled(
        [{"id": record.id, "type": record.resource.protocol} for record in call.sim.state.staged.kind("frontend")]
    )


async def get_defined_routes(call: Call) -> list[dict[str, Any]]:
    return [
        {"displayName": record.values["displayName"], "routeId": record.id, "type": record.resource.protocol}
        for record in call.sim.state.staged.kind("route")
    ]


async def get_status(call: Call) -> dict[str, Any]:
    servers = [server_word(call, record) for record in call.sim.state.staged.kind("server")]
    frontends = ["ok"] * len(list(call.sim.state.staged.kind("frontend")))
    farms = ["ok"] * len(list(call.sim.state.staged.kind("farm")))
    return {
        "farms": counted(farms),
        "frontends": counted(frontends),
        "servers": counted(servers),
        "service": {"status": "warn" if "error" in servers else "ok"},
    }


def server_word(call: Call, server: Any) -> str:
    statuses = {state["status"] for state in call.context.health.states(server)}
    if "DOWN" in statuses:
        return "error"
    return "ok" if statuses & {"UP", "DRAIN"} else "unknown"


def counted(words: list[str]) -> dict[str, Any]:
    return {"status": {word: words.count(word) for word in ("error", "ok", "unknown", "warn")}, "total": len(words)}


async def get_service_infos(call: Call) -> dict[str, Any]:
    return {
        "canDeleteAtExpiration": True,
        "contactAdmin": "xx00000-ovh",
        "contactBilling": "xx00000-ovh",
        "contactTech": "xx00000-ovh",
        "creation": "2026-01-01",
        "domain": call.sim.settings.service,
        "engagedUpTo": None,
        "expiration": "2036-01-01",
        "possibleRenewPeriod": [1],
        "renew": {
            "automatic": True,
            "deleteAtExpiration": False,
            "forced": False,
            "manualPayment": False,
            "period": 1,
        },
        "renewalType": "automaticV2016",
        "serviceId": 1,
        "status": "ok",
    }
