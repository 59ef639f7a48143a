# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service in a vRack: its networks; attachment and its task, which are calls below ``/vrack``."""

from __future__ import annotations

from typing import Any

from .call import Call, Operation
from .configuration import Record
from .errors import ApiError, bad_field, not_found
from .field_types import Values, check, known_keys
from .listing import listed
from .resources import change_record, refuse_during_refresh, wanted
from .schema import MIN_NAT_IPS, MOST_NETWORKS, VRACK_NETWORK, Field
from .state import Simulator, Task
from .validation import created

VRACK = "/vrack"
ATTACH_FIELDS = {"ipLoadbalancing": Field("ipLoadbalancing", "string", nullable=False, required=True)}
FARM_FIELDS = {"farmId": Field("farmId", "long[]", nullable=False, required=True)}
ATTACH, DETACH = "vrackAttach", "vrackDetach"
# vrack.TaskStatusEnum is smaller than that of /ipLoadbalancing.
VRACK_STATUSES = {"error": "cancelled", "blocked": "doing"}


def operations(base: str) -> list[Operation]:
    prefix = "loadbalancer:apiovh:vrack"
    item = f"{base}/vrack/network/{{vrackNetworkId}}"
    return [
        Operation("GET", f"{base}/vrack/network", list_networks, f"{prefix}/network/get"),
        Operation("POST", f"{base}/vrack/network", post_network, f"{prefix}/network/create"),
        Operation("GET", item, get_network, f"{prefix}/network/get"),
        Operation("PUT", item, put_network, f"{prefix}/network/edit"),
        Operation("DELETE", item, delete_network, f"{prefix}/network/delete"),
        Operation("POST", f"{item}/updateFarmId", update_farm_id, f"{prefix}/network/updateFarmId"),
        Operation("GET", f"{base}/vrack/networkCreationRules", get_rules, f"{prefix}/networkCreationRules/get"),
        Operation("GET", f"{base}/vrack/status", get_status, f"{prefix}/status/get"),
    ]


def outer_operations() -> list[Operation]:
    item = f"{VRACK}/{{vrack}}/ipLoadbalancing/{{ipLoadbalancing}}"
    action = "vrack:apiovh:ipLoadbalancing"
    return [
        Operation("GET", VRACK, list_vracks, "vrack:apiovh:get"),
        Operation("GET", f"{VRACK}/{{vrack}}", get_vrack, "vrack:apiovh:get"),
        Operation("GET", f"{VRACK}/{{vrack}}/ipLoadbalancing", list_attached, f"{action}/get"),
        Operation("POST", f"{VRACK}/{{vrack}}/ipLoadbalancing", attach, f"{action}/attach"),
        Operation("GET", item, get_attached, f"{action}/get"),
        Operation("DELETE", item, detach, f"{action}/detach"),
        Operation("GET", f"{VRACK}/{{vrack}}/task", list_tasks, "vrack:apiovh:task/get"),
        Operation("GET", f"{VRACK}/{{vrack}}/task/{{taskId}}", get_task, "vrack:apiovh:task/get"),
    ]


# Networks


def networks(sim: Simulator) -> list[Record]:
    return sim.state.staged.select(VRACK_NETWORK.name)


def view(sim: Simulator, network: Record) -> Values:
    """A POST takes ids of farms, a GET shows farms."""
    farms = [{"id": farm.id, "type": farm.resource.protocol} for farm in farms_of(sim, network)]
    shown = {**network.values, "farmId": sim.shuffled(farms), "vrackNetworkId": network.id}
    return dict(sorted(shown.items()))


def farms_of(sim: Simulator, network: Record) -> list[Record]:
    return [farm for farm in sim.state.staged.kind("farm") if farm.values["vrackNetworkId"] == network.id]


async def list_networks(call: Call) -> list[Any]:
    shown = {network.id: view(call.sim, network) for network in networks(call.sim)}
    return listed(call, shown, VRACK_NETWORK.filters)


async def get_network(call: Call) -> Values:
    return view(call.sim, wanted(call, VRACK_NETWORK))


async def post_network(call: Call) -> Values:
    sim = call.sim
    refuse_during_refresh(call)
    refuse_outside(sim)
    if len(networks(sim)) >= MOST_NETWORKS:
        raise ApiError(400, f"A load balancer has at most {MOST_NETWORKS} networks")
    values = created(call.body, VRACK_NETWORK, None, sim)
    farms = checked_farms(list(values["farmId"]), sim)
    network = Record(VRACK_NETWORK, next(sim.ids), None, {**values, "farmId": []})
    sim.state.staged.add(network)
    put_farms(sim, network, farms)
    return view(sim, network)


async def put_network(call: Call) -> None:
    """Another natIp or VLAN waits for a refresh where farms use it."""
    network = wanted(call, VRACK_NETWORK)
    before = network.values
    change_record(call, network, view(call.sim, network))
    if {**before, "displayName": None} != {**network.values, "displayName": None}:
        for farm in farms_of(call.sim, network):
            call.sim.touch(farm, farm.values["zone"])


async def delete_network(call: Call) -> None:
    network = wanted(call, VRACK_NETWORK)
    refuse_during_refresh(call)
    users = farms_of(call.sim, network)
    if users:
        raise ApiError(409, f"This network is used by farm {', '.join(str(farm.id) for farm in users)}")
    call.sim.state.staged.remove(network)


async def update_farm_id(call: Call) -> Values:
    sim = call.sim
    network = wanted(call, VRACK_NETWORK)
    refuse_during_refresh(call)
    body = known_keys(call.body, FARM_FIELDS, sim)
    put_farms(sim, network, checked_farms(check(FARM_FIELDS["farmId"], body.get("farmId"), None, sim), sim))
    return view(sim, network)


def checked_farms(ids: list[int], sim: Simulator) -> list[Record]:
    found = []
    for id_ in ids:
        farm = sim.state.staged.records.get(id_)
        if farm is None or farm.resource.kind != "farm":
            raise ApiError(404, f"[farmId] The requested object (farmId = {id_}) does not exist")
        found.append(farm)
    return found


def put_farms(sim: Simulator, network: Record, farms: list[Record]) -> None:
    """These farms and no others are in the network."""
    ids = {farm.id for farm in farms}
    for farm in list(sim.state.staged.kind("farm")):
        before = farm.values["vrackNetworkId"]
        after = network.id if farm.id in ids else None if before == network.id else before
        if after != before:
            farm.values = {**farm.values, "vrackNetworkId": after}
            sim.touch(farm, farm.values["zone"])


async def get_rules(call: Call) -> Values:
    refuse_outside(call.sim)
    return {
        "minNatIps": MIN_NAT_IPS,
        "remainingNetworks": MOST_NETWORKS - len(networks(call.sim)),
        "vrackName": call.sim.settings.vrack,
    }


async def get_status(call: Call) -> Values:
    tasks = [task.id for task in vrack_tasks(call.sim) if task.running]
    return {"state": call.sim.vrack_state, "task": tasks, "vrackName": vrack_name(call.sim)}


def vrack_name(sim: Simulator) -> str | None:
    return None if sim.vrack_state == "inactive" else sim.settings.vrack


def refuse_outside(sim: Simulator) -> None:
    if not sim.in_vrack:
        raise ApiError(400, "This service is not attached to a vRack")


# Attachment


def known_vrack(call: Call) -> str:
    name = str(call.request.path_params["vrack"])
    if name != call.sim.settings.vrack:
        raise ApiError(404, "This service does not exist")
    return name


async def list_vracks(call: Call) -> list[Any]:
    return listed(call, {call.sim.settings.vrack: {"description": "", "name": "simulated"}})


async def get_vrack(call: Call) -> Values:
    known_vrack(call)
    return {"description": "", "name": "simulated"}


async def list_attached(call: Call) -> list[str]:
    known_vrack(call)
    return [call.sim.settings.service] if call.sim.vrack_state in ("active", "deactivating") else []


async def get_attached(call: Call) -> Values:
    name = attached(call)
    return {"ipLoadbalancing": name, "vrack": call.sim.settings.vrack}


def attached(call: Call) -> str:
    known_vrack(call)
    name = str(call.request.path_params["ipLoadbalancing"])
    if name != call.sim.settings.service or call.sim.vrack_state not in ("active", "deactivating"):
        raise not_found("ipLoadbalancing", name)
    return name


async def attach(call: Call) -> Values:
    sim = call.sim
    known_vrack(call)
    body = known_keys(call.body, ATTACH_FIELDS, sim)
    name = check(ATTACH_FIELDS["ipLoadbalancing"], body.get("ipLoadbalancing"), None, sim)
    if name != sim.settings.service:
        raise bad_field("ipLoadbalancing", "string", f"{name} can not be attached to this vRack")
    if sim.vrack_state != "inactive":
        raise ApiError(409, f"{name} is already attached to a vRack")
    return start(call, ATTACH, "activating", "active", "inactive")


async def detach(call: Call) -> Values:
    attached(call)
    if call.sim.vrack_state != "active":
        raise ApiError(409, "This service is already being detached")
    if networks(call.sim) and call.sim.switches["detach_with_networks"] == "refuse":
        raise ApiError(409, "This service still has vRack networks")
    return start(call, DETACH, "deactivating", "inactive", "active")


def start(call: Call, action: str, meanwhile: str, after: str, otherwise: str) -> Values:
    sim = call.sim
    sim.state.vrack = meanwhile

    async def arrive() -> None:
        sim.state.vrack = after
        if after == "inactive":
            leave_networks(sim)

    def stay() -> None:
        sim.state.vrack = otherwise

    return vrack_view(sim, call.context.runner.start(action, arrive, stay))


def leave_networks(sim: Simulator) -> None:
    for network in networks(sim):
        put_farms(sim, network, [])
        sim.state.staged.remove(network)


# Tasks of the vRack


def vrack_tasks(sim: Simulator) -> list[Task]:
    """Those that are over have left, as OVHcloud's web client and Terraform's provider expect."""
    stay = sim.switches["finished_vrack_task"] == "stays"
    return [
        task
        for task in sim.state.tasks.values()
        if task.action in (ATTACH, DETACH) and (stay or task.done_date is None)
    ]


def vrack_view(sim: Simulator, task: Task) -> Values:
    return {
        "function": {ATTACH: "addIpLoadbalancing", DETACH: "removeIpLoadbalancing"}[task.action],
        "id": task.id,
        "lastUpdate": task.done_date or task.creation_date,
        "orderId": None,
        "serviceName": sim.settings.vrack,
        "status": VRACK_STATUSES.get(task.status, task.status),
        "targetDomain": sim.settings.service,
        "todoDate": task.creation_date,
    }


async def list_tasks(call: Call) -> list[Any]:
    known_vrack(call)
    return listed(call, {task.id: vrack_view(call.sim, task) for task in vrack_tasks(call.sim)})


async def get_task(call: Call) -> Values:
    known_vrack(call)
    id_ = call.id("taskId")
    for task in vrack_tasks(call.sim):
        if task.id == id_:
            return vrack_view(call.sim, task)
    raise not_found("taskId", id_)
