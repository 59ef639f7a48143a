# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks bodies against the table of ``schema`` and answers 400 in the API's words.

``created`` and ``updated`` return the complete stored values of an object, or raise ApiError; nothing is written here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from .configuration import ALL, Record
from .errors import ApiError, bad_field
from .ports import overlap, parse_ports
from .schema import (
    PROBE_FIELDS,
    PROBE_MATCHES,
    READ,
    REDIRECT_STATUSES,
    REJECT_STATUSES,
    RULE_FIELDS,
    WITH_SUB_FIELD,
    WRITE,
    Field,
    Resource,
)
from .state import CERTIFICATE, VRACK_NETWORK, Simulator

Values = dict[str, Any]

# Neither private nor public: addresses that documentation and laboratories use.
DOCUMENTATION = [ipaddress.ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


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


def known_keys(body: Values, fields: dict[str, Field], sim: Simulator) -> Values:
    unknown = [name for name in body if name not in fields]
    if unknown and sim.switches["unknown_keys"] == "refuse":
        raise ApiError(400, f"Received not described parameters: ({', '.join(unknown)})")
    return {name: value for name, value in body.items() if name in fields}


def writable(body: Values, fields: dict[str, Field], shown: Values, sim: Simulator) -> Values:
    """The part of a PUT body that may change."""
    for name, value in body.items():
        entry = fields[name]
        if entry.access == WRITE or entry.type == "computed" or value == shown[name]:
            continue
        if sim.switches["read_only_change"] == "refuse":
            raise bad_field(name, entry.type, "is read-only and can not be changed")
    return {name: value for name, value in body.items() if fields[name].access == WRITE}


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


# One check per type


def _wrong_type(entry: Field, value: Any) -> ApiError:
    return bad_field(entry.name, entry.type, f"Given data ({value!r}) is not valid for type {entry.type}")


def _long(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(entry, value)
    return value


def _boolean(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(entry, value)
    return value


def _string(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> str:
    if not isinstance(value, str):
        raise _wrong_type(entry, value)
    return value


def _strings(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong_type(entry, value)
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
        raise _wrong_type(entry, value) from error
    if address.is_loopback and not sim.switches.on("allow_loopback_servers"):
        raise bad_field(entry.name, "ipv4", f"Given data ({value}) is a loopback address")
    if address.is_multicast or address.is_unspecified or address == ipaddress.IPv4Address("255.255.255.255"):
        raise bad_field(entry.name, "ipv4", f"Given data ({value}) is not the address of a host")
    is_documentation = any(address in block for block in DOCUMENTATION)
    if sim.switches["public_servers"] == "refuse" and not (address.is_private or is_documentation):
        raise bad_field(entry.name, "ipv4", f"Given data ({value}) is not an address of OVHcloud")
    return str(address)


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
    if id_ != CERTIFICATE["id"]:
        raise ApiError(404, f"[{entry.name}] The requested object (id = {id_}) does not exist")
    return id_


def _vrack_network(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> int:
    id_ = _identifier(entry, value, resource, sim)
    if not vrack_active(sim) or id_ != VRACK_NETWORK["vrackNetworkId"]:
        raise ApiError(404, f"[{entry.name}] The requested object (vrackNetworkId = {id_}) does not exist")
    return id_


def vrack_active(sim: Simulator) -> bool:
    return sim.switches["vrack"] == "active"


def _probe(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> Values | None:
    """Every field of the probe, or None for ``{}``, with which OVHcloud's own web client removes a probe."""
    if not isinstance(value, dict):
        raise _wrong_type(entry, value)
    by_name = {field.name: field for field in PROBE_FIELDS}
    body = {name: item for name, item in known_keys(value, by_name, sim).items() if item is not None}
    if not body:
        return None
    probe = dict.fromkeys(by_name) | {name: check(by_name[name], item, resource, sim) for name, item in body.items()}
    check_probe(probe)
    if sim.switches["probe_defaults"] == "filled":
        _fill_probe(probe, sim)
    return probe


def check_probe(probe: Values) -> None:
    kind = probe["type"] or "tcp"
    match = probe["match"]
    if probe["negate"] is not None and match is None:
        raise ApiError(400, "A probe can not negate without a match")
    if match and match not in PROBE_MATCHES[kind]:
        raise bad_field("probe.match", "enum", f"{match} does not go with probes of type {kind}")
    if kind != "http" and (probe["method"] or probe["url"]):
        raise bad_field("probe", "probe", f"method and url do not go with probes of type {kind}")
    if kind == "oco" and probe["port"] is not None:
        raise bad_field("probe.port", "long", "probes of type oco always use port 79")
    if match in ("contains", "matches", "status") and not probe["pattern"]:
        raise bad_field("probe.pattern", "string", f"match {match} needs a pattern")


def _fill_probe(probe: Values, sim: Simulator) -> None:
    defaults: Values = {"type": "tcp", "interval": 30, "forceSsl": False, "match": "default", "negate": False}
    if probe["type"] == "http":
        defaults |= {"method": sim.switches["http_probe_method"], "url": "/"}
    for name, default in defaults.items():
        if probe[name] is None:
            probe[name] = default


def _action(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> Values:
    assert resource is not None
    is_http = resource.protocol == "http"
    fields = {"type": Field("action.type", "string"), "target": Field("action.target", "string")}
    if is_http:
        fields["status"] = Field("action.status", "long")
    if not isinstance(value, dict):
        raise _wrong_type(entry, value)
    body = known_keys(value, fields, sim)
    action = dict.fromkeys(fields) | {
        name: None if item is None else check(fields[name], item, resource, sim) for name, item in body.items()
    }
    _check_action(action, resource.protocol, sim)
    return action


def _check_action(action: Values, protocol: str, sim: Simulator) -> None:
    kind, target, status = action["type"], action["target"], action.get("status")
    if kind not in (("farm", "reject", "redirect") if protocol == "http" else ("farm", "reject")):
        raise bad_field("action.type", "enum", f"Given data ({kind}) is not an action of {protocol} routes")
    if kind == "farm":
        if not (target or "").isdigit():
            raise bad_field("action.target", "string", "has to be the id of a farm, as a string")
        check_farm("action.target", int(target), protocol, sim)
    if kind == "redirect" and not target:
        raise bad_field("action.target", "string", "Missing required parameter")
    statuses = {"farm": (), "reject": REJECT_STATUSES, "redirect": REDIRECT_STATUSES}[kind]
    if status is not None and status not in statuses:
        raise bad_field("action.status", "long", f"Given data ({status}) does not go with action {kind}")


CHECKS: dict[str, Callable[[Field, Any, Resource | None, Simulator], Any]] = {
    "action": _action,
    "boolean": _boolean,
    "certificate": _certificate,
    "farm": _farm,
    "frontend": _frontend,
    "ipBlock[]": _blocks,
    "ipv4": _ipv4,
    "long": _long,
    "ports": _ports,
    "probe": _probe,
    "string": _string,
    "string[]": _strings,
    "vrackNetwork": _vrack_network,
    "zone": _zone,
}


# Rules that need more than one field


def check_whole(resource: Resource, values: Values, parent: int | None, own_id: int | None, sim: Simulator) -> None:
    if resource.kind == "frontend":
        _check_frontend(resource, values, own_id, sim)
    if resource.kind == "server":
        _check_server(resource, values, parent, own_id, sim)
    if resource.kind == "rule":
        _check_rule(resource, values)


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
    if sim.switches["duplicate_server"] == "accept":
        return
    farm = sim.state.staged.records[parent or 0]
    port = values["port"] or farm.values["port"]
    for other in sim.state.staged.select(resource.name, parent):
        same = other.values["address"] == values["address"] and (other.values["port"] or farm.values["port"]) == port
        if same and other.id != own_id:
            raise ApiError(409, f"Server {other.id} of this farm already has address {values['address']}")


def _check_rule(resource: Resource, values: Values) -> None:
    matches = RULE_FIELDS[resource.protocol].get(values["field"])
    if matches is None:
        raise bad_field(
            "field", "string", f"Given data ({values['field']}) is not a field of {resource.protocol} rules"
        )
    if values["match"] not in matches:
        raise bad_field("match", "enum", f"{values['match']} does not go with field {values['field']}")
    if (values["field"] in WITH_SUB_FIELD) != bool(values["subField"]):
        raise bad_field("subField", "string", f"is for {', '.join(WITH_SUB_FIELD)}, and needed there")
    if values["match"] != "exists" and not values["pattern"]:
        raise bad_field("pattern", "string", "Missing required parameter")
    if values["field"] == "source":
        _check_sources(values["pattern"])


def _check_sources(pattern: str) -> None:
    for part in pattern.split(","):
        try:
            ipaddress.ip_network(part.strip(), strict=False)
        except ValueError as error:
            raise bad_field("pattern", "string", f"{part.strip()} is not an address or a block") from error
