# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks bodies against the table of ``schema`` and answers 400 in the API's words.

``created`` and ``updated`` return the complete stored values of an object, or raise ApiError; nothing is written here.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from .configuration import ALL, Record
from .errors import ApiError, bad_field
from .field_types import CHECKS, Values, check, known_keys
from .ports import overlap
from .probe_checks import probe
from .route_checks import action, check_rule
from .schema import MIN_NAT_IPS, READ, VRACK_NETWORK, WRITE, Field, Resource
from .state import Simulator

CHECKS |= {"action": action, "probe": probe}


def created(body: Values, resource: Resource, parent: int | None, sim: Simulator) -> Values:
    fields = {name: entry for name, entry in resource.by_name.items() if entry.access != READ}
    body = known_keys(body, fields, sim)
    missing = [name for name, entry in fields.items() if entry.required and body.get(name) is None]
    if missing:
        raise bad_field(missing[0], fields[missing[0]].type, "Missing required parameter")
    checked = {name: check(fields[name], value, resource, sim) for name, value in body.items()}
    values = {entry.name: checked.get(entry.name, entry.default) for entry in stored_fields(resource)}
    check_whole(resource, values, parent, None, sim)
    return values


def updated(body: Values, record: Record, shown: Values, sim: Simulator) -> Values:
    """``shown`` is the object as a GET answers it: read-only fields may be echoed unchanged."""
    body = known_keys(body, record.resource.by_name, sim)
    changes = writable(body, record.resource.by_name, shown, sim)
    checked = {
        name: check(record.resource.by_name[name], value, record.resource, sim) for name, value in changes.items()
    }
    values = record.values | checked
    check_whole(record.resource, values, record.parent, record.id, sim)
    return values


def update_fields(body: Values, fields: tuple[Field, ...], shown: Values, sim: Simulator) -> Values:
    """Changes of an object that is not in the table of resources (service, quota)."""
    by_name = {entry.name: entry for entry in fields}
    changes = writable(known_keys(body, by_name, sim), by_name, shown, sim)
    return {name: check(by_name[name], value, None, sim) for name, value in changes.items()}


def stored_fields(resource: Resource) -> list[Field]:
    """Fields that live in an object's values; ids and computed fields do not."""
    own = (resource.id_field, resource.parent_field)
    return [entry for entry in resource.fields if entry.name not in own and entry.type != "computed"]


def writable(body: Values, fields: dict[str, Field], shown: Values, sim: Simulator) -> Values:
    """The part of a PUT body that may change."""
    for name, value in body.items():
        entry = fields[name]
        if entry.access == WRITE or entry.type == "computed" or _same(value, shown[name]):
            continue
        if sim.switches["read_only_change"] == "refuse":
            raise bad_field(name, entry.type, "is read-only and can not be changed")
    return {name: value for name, value in body.items() if fields[name].access == WRITE}


def _same(value: Any, shown: Any) -> bool:
    """Lists come in any order."""
    if isinstance(value, list) and isinstance(shown, list):
        return sorted(map(repr, value)) == sorted(map(repr, shown))
    return bool(value == shown)


# Rules that need more than one field


def check_whole(resource: Resource, values: Values, parent: int | None, own_id: int | None, sim: Simulator) -> None:
    if resource.kind == "frontend":
        _check_frontend(resource, values, own_id, sim)
    if resource.kind == "server":
        _check_server(resource, values, parent, own_id, sim)
    if resource.kind == "rule":
        check_rule(resource.protocol, values, sim)
    if resource is VRACK_NETWORK:
        _check_network(values)


def _check_frontend(resource: Resource, values: Values, own_id: int | None, sim: Simulator) -> None:
    if values.get("allowedSource") and values.get("deniedSource"):
        raise ApiError(400, "allowedSource and deniedSource can not be used together")
    farm = sim.state.staged.records.get(values["defaultFarmId"] or 0)
    mismatch = farm is not None and farm.values["zone"] not in (ALL, values["zone"])
    if mismatch and sim.switches["farm_frontend_zone_mismatch"] == "refuse":
        raise bad_field("defaultFarmId", "long", f"the farm is not in zone {values['zone']}")
    if sim.switches["frontend_port_clash"] == "refuse":
        _check_port_clash(resource, values, own_id, sim)


def _check_port_clash(resource: Resource, values: Values, own_id: int | None, sim: Simulator) -> None:
    is_udp = resource.protocol == "udp"
    for other in sim.state.staged.kind("frontend"):
        same_place = ALL in (values["zone"], other.values["zone"]) or values["zone"] == other.values["zone"]
        same_address = set(values["dedicatedIpfo"] or []) == set(other.values["dedicatedIpfo"] or [])
        same_transport = is_udp == (other.resource.protocol == "udp")
        if other.id == own_id or not (same_place and same_address and same_transport):
            continue
        if overlap(values["port"], other.values["port"]):
            raise ApiError(409, f"Port {values['port']} is already used by frontend {other.id}")


def _check_server(resource: Resource, values: Values, parent: int | None, own_id: int | None, sim: Simulator) -> None:
    farm = sim.state.staged.records[parent or 0]
    public = not ipaddress.IPv4Address(values["address"]).is_private
    if farm.values["vrackNetworkId"] and public and sim.switches["public_servers_in_vrack"] == "refuse":
        raise bad_field("address", "ipv4", f"{values['address']} is not private, and the farm is in a vRack network")
    if sim.switches["duplicate_server"] == "accept":
        return
    port = values["port"] or farm.values["port"]
    for other in sim.state.staged.select(resource.name, parent):
        same = other.values["address"] == values["address"] and (other.values["port"] or farm.values["port"]) == port
        if same and other.id != own_id:
            raise ApiError(409, f"Server {other.id} of this farm already has address {values['address']}")


def _check_network(values: Values) -> None:
    subnet, nat_ip = ipaddress.IPv4Network(values["subnet"]), ipaddress.IPv4Network(values["natIp"])
    if not nat_ip.subnet_of(subnet):
        raise bad_field("natIp", "ipBlock", f"{nat_ip} is not inside {subnet}")
    if nat_ip.num_addresses < MIN_NAT_IPS:
        raise bad_field("natIp", "ipBlock", f"{nat_ip} has less than {MIN_NAT_IPS} addresses")
