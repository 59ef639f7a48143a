# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One check per type of field: what may be stored, or 400 in the API's words.

Types that need more than a few lines have modules of their own: ``probe_checks`` and ``route_checks``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from .configuration import ALL
from .errors import ApiError, bad_field
from .ports import parse_ports
from .schema import CERTIFICATE, VRACK_NETWORK, Field, Resource
from .state import Simulator

Values = dict[str, Any]
Check = Callable[[Field, Any, "Resource | None", Simulator], Any]

# Neither private nor public: addresses that documentation and laboratories use.
DOCUMENTATION = [ipaddress.ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


def known_keys(body: Values, fields: dict[str, Field], sim: Simulator) -> Values:
    unknown = [name for name in body if name not in fields]
    if unknown and sim.switches["unknown_keys"] == "refuse":
        raise ApiError(400, f"Received not described parameters: ({', '.join(unknown)})")
    return {name: value for name, value in body.items() if name in fields}


def check(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> Any:
    """The value to store for one field."""
    if value is None:
        return _null(entry, sim)
    value = CHECKS[entry.type](entry, value, resource, sim)
    if entry.choices and value not in entry.choices:
        raise bad_field(entry.name, "enum", f"Given data ({value}) does not belong to {', '.join(entry.choices)}")
    if entry.minimum is not None and value < entry.minimum:
        raise bad_field(entry.name, entry.type, f"Given data ({value}) is lower than {entry.minimum}")
    if entry.maximum is not None and value > entry.maximum:
        raise bad_field(entry.name, entry.type, f"Given data ({value}) is greater than {entry.maximum}")
    if entry.max_length is not None and len(value) > entry.max_length:
        raise bad_field(entry.name, entry.type, f"Given data is longer than {entry.max_length} characters")
    return value


def _null(entry: Field, sim: Simulator) -> Any:
    if entry.type == "probe" and sim.switches["probe_null"] == "refuse":
        raise bad_field(entry.name, "probe", "can not be null")
    if entry.nullable:
        return None
    if entry.required or sim.switches["null_on_not_nullable"] == "refuse":
        raise bad_field(entry.name, entry.type, "can not be null")
    return entry.default


def wrong_type(entry: Field, value: Any) -> ApiError:
    return bad_field(entry.name, entry.type, f"Given data ({value!r}) is not valid for type {entry.type}")


def _long(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(entry, value)
    return value


def _boolean(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(entry, value)
    return value


def _string(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> str:
    if not isinstance(value, str):
        raise wrong_type(entry, value)
    return value


def _strings(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong_type(entry, value)
    return value


def _zone(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> str:
    name = _string(entry, value, resource, sim)
    if sim.switches["zone_case"] == "insensitive":
        name = name.lower()
    if name not in (ALL, *sim.zone_names):
        raise bad_field(entry.name, "zone", f"Given data ({value}) does not belong to the zones of this service")
    return name


def _ports(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and sim.switches["frontend_port_number"] == "accept":
        value = str(value)
    text = _string(entry, value, resource, sim)
    try:
        parse_ports(text)
    except ValueError as error:
        raise bad_field(entry.name, "port", str(error)) from error
    return text


def _ipv4(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> str:
    text = _string(entry, value, resource, sim)
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise wrong_type(entry, value) from error
    if address.is_loopback and not sim.switches.on("allow_loopback_servers"):
        raise bad_field(entry.name, "ipv4", f"Given data ({value}) is a loopback address")
    if address.is_multicast or address.is_unspecified or address == ipaddress.IPv4Address("255.255.255.255"):
        raise bad_field(entry.name, "ipv4", f"Given data ({value}) is not the address of a host")
    is_documentation = any(address in block for block in DOCUMENTATION)
    if sim.switches["public_servers"] == "refuse" and not (address.is_private or is_documentation):
        raise bad_field(entry.name, "ipv4", f"Given data ({value}) is not an address of OVHcloud")
    return str(address)


def _longs(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> list[int]:
    if not isinstance(value, list):
        raise ApiError(400, f"[{entry.name}] long Data is not an array for an array type")
    return [_long(entry, item, resource, sim) for item in value]


def _single_block(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> str:
    """One IPv4 network, always stored with its mask."""
    try:
        return str(ipaddress.IPv4Network(_string(entry, value, resource, sim)))
    except ValueError as error:
        raise bad_field(entry.name, "ipBlock", f"Given data ({value!r}) is not valid: {error}") from error


def _blocks(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> list[str]:
    if not isinstance(value, list):
        raise ApiError(400, f"[{entry.name}] ipBlock Data is not an array for an array type")
    blocks = [_block(entry, item, sim) for item in value]
    if entry.name == "dedicatedIpfo" and sim.switches["unknown_dedicated_ipfo"] == "refuse":
        unknown = [block for block in blocks if block not in sim.settings.failover]
        if unknown:
            raise bad_field(entry.name, "ipBlock", f"{unknown[0]} is not routed to this service")
    return blocks


def _block(entry: Field, value: Any, sim: Simulator) -> str:
    handling = sim.switches["cidr_without_mask"]
    try:
        network = ipaddress.ip_network(value if isinstance(value, str) else "", strict=handling == "refuse")
    except ValueError as error:
        raise bad_field(entry.name, "ipBlock", f"Given data ({value!r}) is not valid") from error
    if handling == "refuse" and "/" not in value:
        raise bad_field(entry.name, "ipBlock", f"Given data ({value!r}) has no mask")
    return str(value) if handling == "keep" else str(network)


def _identifier(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    """An id of another object. 0 makes the API fail with 500 (terraform-provider-ovh issue 297)."""
    id_ = _long(entry, value, resource, sim)
    if id_ == 0:
        raise ApiError(500, "Internal server error")
    return id_


def _farm(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    id_ = _identifier(entry, value, resource, sim)
    assert resource is not None
    check_farm(entry.name, id_, resource.protocol, sim)
    return id_


def check_farm(name: str, id_: int, protocol: str, sim: Simulator) -> None:
    farm = sim.state.staged.records.get(id_)
    if farm is None or farm.resource.kind != "farm":
        status = int(sim.switches["unknown_farm_status"])
        raise ApiError(status, f"[{name}] The requested object (farmId = {id_}) does not exist")
    if farm.resource.protocol != protocol:
        raise bad_field(name, "long", f"farm {id_} is a {farm.resource.protocol} farm, not a {protocol} one")


def _frontend(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    id_ = _identifier(entry, value, resource, sim)
    assert resource is not None
    if sim.state.staged.find(f"{resource.protocol}/frontend", id_) is None:
        raise ApiError(404, f"[{entry.name}] The requested object (frontendId = {id_}) does not exist")
    return id_


def _certificate(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    id_ = _identifier(entry, value, resource, sim)
    if sim.state.staged.find(CERTIFICATE.name, id_) is None:
        raise ApiError(404, f"[{entry.name}] The requested object (id = {id_}) does not exist")
    return id_


def _vrack_network(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    id_ = _identifier(entry, value, resource, sim)
    if not sim.in_vrack or sim.state.staged.find(VRACK_NETWORK.name, id_) is None:
        raise ApiError(404, f"[{entry.name}] The requested object (vrackNetworkId = {id_}) does not exist")
    return id_


CHECKS: dict[str, Check] = {
    "boolean": _boolean,
    "certificate": _certificate,
    "farm": _farm,
    "frontend": _frontend,
    "ipBlock": _single_block,
    "ipBlock[]": _blocks,
    "ipv4": _ipv4,
    "long": _long,
    "long[]": _longs,
    "ports": _ports,
    "string": _string,
    "string[]": _strings,
    "vrackNetwork": _vrack_network,
    "zone": _zone,
}
