# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one table of the resources of ``/ipLoadbalancing``. Private to the collection.

Every field name, API name, type, choice, range and API default of a farm, a server or a frontend stands here and
nowhere else. Argument specs, request bodies, comparison and diff derive from it.

Source: OVHcloud's published schema of ``/ipLoadbalancing`` and the Load Balancer guides.
"""

from __future__ import annotations

import ipaddress
import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput

Values = dict[str, t.Any]
PROTOCOLS = ("tcp", "http", "udp")
ALL_ZONES = "all"
PORT_MIN, PORT_MAX = 1, 49151  # the API's own limits for farms, servers and frontends
NO_PROBE: Values = {}  # what OVHcloud's web client sends to take a probe away; read back as null or {}


@dataclass(frozen=True)
class Field:
    """One field of a resource.

    ``default`` is what null means to the API, so that null and the spelled-out default compare as equal;
    ``unsure_defaults`` are values that null may be read back as where OVHcloud's own sources disagree.
    A field that is not ``nullable`` is reset by sending its default. ``check`` takes (value, where) and returns the
    value in its canonical form, or raises InvalidInput.
    """

    name: str
    api: str
    type: str = "str"
    choices: tuple[str, ...] = ()
    default: t.Any = None
    unsure_defaults: tuple[t.Any, ...] = ()
    nullable: bool = True
    required: tuple[str, ...] = ()  # protocols whose objects can not be created without it
    create_only: bool = False
    check: t.Callable[[t.Any, str], t.Any] | None = None
    protocols: tuple[str, ...] = PROTOCOLS
    fields: tuple[Field, ...] = ()

    @property
    def is_set(self) -> bool:
        """Lists of the API have no order: it returns them in another one than it was given."""
        return self.type == "list"

    def choices_for(self, protocol: str) -> tuple[str, ...]:
        return tuple(choice for choice in self.choices if (self.name, choice) not in HTTP_ONLY or protocol == "http")


# Values of a choice that only HTTP farms have (enums BalanceHTTPEnum and StickinessHTTPEnum).
HTTP_ONLY = frozenset({("balance", "uri"), ("stickiness", "cookie")})


@dataclass(frozen=True)
class Resource:
    """One kind of object: its path below ``/ipLoadbalancing/{serviceName}``, the name of its id, and its fields."""

    kind: str
    path: str
    id_api: str
    fields: tuple[Field, ...]

    @property
    def id_option(self) -> str:
        return f"{self.kind}_id"

    def fields_for(self, protocol: str) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if protocol in field.protocols)

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


def check_zone(value: str, where: str) -> str:
    zone = value.strip().lower()
    if not zone:
        raise InvalidInput(f"{where} is empty; name a zone of the service, such as gra, or all")
    return zone


def check_port(value: int, where: str) -> int:
    if PORT_MIN <= value <= PORT_MAX:
        return value
    raise InvalidInput(f"{where}: {value} is not a port of the load balancer; use {PORT_MIN} to {PORT_MAX}")


def check_ports(value: str, where: str) -> str:
    """Ports of a frontend: one port, a range ``a-b``, or a comma list of those; sorted, each once."""
    ranges = {_check_port_range(part, where) for part in str(value).split(",")}
    return ",".join("-".join(map(str, bounds)) for bounds in sorted(ranges))


def _check_port_range(part: str, where: str) -> tuple[int, ...]:
    bounds = [bound.strip() for bound in part.split("-")]
    if len(bounds) > 2 or not all(bound.isascii() and bound.isdigit() for bound in bounds):
        raise InvalidInput(
            f'{where}: "{part.strip()}" is not a port; use a port, a range a-b, or a comma list of those'
        )
    numbers = [check_port(int(bound), where) for bound in bounds]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise InvalidInput(f'{where}: range "{part.strip()}" must increase; write the lower port first')
    return tuple(numbers)


def ports_overlap(one: str, other: str) -> bool:
    """Whether two frontends' ports, in the form of ``check_ports``, have one in common."""
    ranges = [[tuple(map(int, part.split("-"))) for part in ports.split(",")] for ports in (one, other)]
    return any(a[0] <= b[-1] and b[0] <= a[-1] for a, b in itertools.product(*ranges))


def check_ipv4(value: str, where: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise InvalidInput(
            f'{where}: "{value}" is not an IPv4 address; the API takes servers by IPv4 address only'
        ) from None


def check_networks(value: list[str], where: str) -> list[str]:
    """Networks in CIDR form, sorted, each once; a plain address becomes a /32 or /128."""
    return sorted({_check_network(item, where) for item in value})


def _check_network(item: str, where: str) -> str:
    try:
        return str(ipaddress.ip_network(str(item).strip()))
    except ValueError as error:
        raise InvalidInput(f'{where}: "{item}" is not a network in CIDR form ({error})') from None


def check_weight(value: int, where: str) -> int:
    if 0 <= value <= 256:
        return value
    raise InvalidInput(f"{where}: {value} is out of range; a weight is 0 (receives nothing) to 256")


def check_interval(value: int, where: str) -> int:
    if value >= 30:
        return value
    raise InvalidInput(f"{where}: {value} seconds is too short; the API probes every 30 seconds at the most often")


def check_id(value: int, where: str) -> int:
    # The API answers 500 to an id of 0 (terraform-provider-ovh issue 297).
    if value > 0:
        return value
    raise InvalidInput(f"{where}: {value} is not an id; use a positive id, or null to unset it")


def check_pem(value: str, where: str) -> str:
    return value.strip()


PROBE_FIELDS = (
    Field("type", "type", choices=("http", "mysql", "oco", "pgsql", "smtp", "tcp")),
    Field("port", "port", "int", check=check_port),
    Field("interval", "interval", "int", default=30, check=check_interval),
    Field("match", "match", choices=("contains", "default", "matches", "status"), default="default"),
    Field("negate", "negate", "bool", default=False),
    Field("pattern", "pattern", default=""),
    Field("url", "url", default="/"),
    # The schema says GET, the guide OPTIONS.
    Field("method", "method", choices=("GET", "HEAD", "OPTIONS"), unsure_defaults=("GET", "OPTIONS")),
    Field("force_ssl", "forceSsl", "bool", default=False),
)
# Which fields a probe type takes beside type and interval, and which matches (guide "Configure probes").
PROBE_TYPE_FIELDS: dict[str, frozenset[str]] = {
    "tcp": frozenset({"port", "match", "negate", "pattern"}),
    "http": frozenset({"port", "match", "negate", "pattern", "url", "method", "force_ssl"}),
    "smtp": frozenset({"port", "match", "negate", "force_ssl"}),
    "mysql": frozenset({"port", "match", "negate", "force_ssl"}),
    "pgsql": frozenset({"port", "match", "negate", "force_ssl"}),
    "oco": frozenset({"match", "negate"}),
}
PROBE_TYPE_MATCHES: dict[str, tuple[str, ...]] = {
    "tcp": ("default", "contains", "matches"),
    "http": ("default", "contains", "matches", "status"),
}
TCP_HTTP = ("tcp", "http")
FARM = Resource(
    "farm",
    "{protocol}/farm",
    "farmId",
    (
        Field("display_name", "displayName"),
        Field("zone", "zone", nullable=False, required=PROTOCOLS, create_only=True, check=check_zone),
        Field("port", "port", "int", required=("udp",), check=check_port),
        Field(
            "balance",
            "balance",
            choices=("first", "leastconn", "roundrobin", "source", "uri"),
            default="roundrobin",
            protocols=TCP_HTTP,
        ),
        Field("probe", "probe", "dict", protocols=TCP_HTTP, fields=PROBE_FIELDS),
        Field("stickiness", "stickiness", choices=("cookie", "sourceIp"), protocols=TCP_HTTP),
        Field("vrack_network_id", "vrackNetworkId", "int", check=check_id),
    ),
)
SERVER = Resource(
    "server",
    "{protocol}/farm/{farm_id}/server",
    "serverId",
    (
        Field("address", "address", nullable=False, required=PROTOCOLS, create_only=True, check=check_ipv4),
        Field("port", "port", "int", check=check_port),
        Field("display_name", "displayName"),
        Field("status", "status", choices=("active", "inactive"), nullable=False, required=PROTOCOLS),
        Field("probe", "probe", "bool", default=False, nullable=False, protocols=TCP_HTTP),
        Field("weight", "weight", "int", default=1, check=check_weight, protocols=TCP_HTTP),
        Field("backup", "backup", "bool", default=False, nullable=False, protocols=TCP_HTTP),
        Field(
            "proxy_protocol_version",
            "proxyProtocolVersion",
            choices=("v1", "v2", "v2-ssl", "v2-ssl-cn"),
            protocols=TCP_HTTP,
        ),
        Field("on_marked_down", "onMarkedDown", choices=("shutdown-sessions",), protocols=TCP_HTTP),
        Field("ssl", "ssl", "bool", default=False, nullable=False, protocols=TCP_HTTP),
        Field("chain", "chain", check=check_pem, protocols=TCP_HTTP),
        Field("cookie", "cookie", protocols=("http",)),
    ),
)
FRONTEND = Resource(
    "frontend",
    "{protocol}/frontend",
    "frontendId",
    (
        Field("display_name", "displayName"),
        Field("zone", "zone", nullable=False, required=PROTOCOLS, check=check_zone),
        Field("port", "port", nullable=False, required=PROTOCOLS, check=check_ports),
        Field("default_farm_id", "defaultFarmId", "int", check=check_id),
        Field("allowed_source", "allowedSource", "list", default=[], check=check_networks, protocols=TCP_HTTP),
        Field("denied_source", "deniedSource", "list", default=[], check=check_networks, protocols=TCP_HTTP),
        Field("dedicated_ipfo", "dedicatedIpfo", "list", default=[], check=check_networks),
        Field("disabled", "disabled", "bool", default=False, nullable=False),
        Field("ssl", "ssl", "bool", default=False, nullable=False, protocols=TCP_HTTP),
        Field("default_ssl_id", "defaultSslId", "int", check=check_id, protocols=TCP_HTTP),
        Field("hsts", "hsts", "bool", default=False, nullable=False, protocols=("http",)),
        Field("http_header", "httpHeader", "list", default=[], protocols=("http",)),
        Field("redirect_location", "redirectLocation", protocols=("http",)),
    ),
)


def normalise(resource: Resource, protocol: str, written: Values, where: str) -> Values:
    """What the user wrote, in canonical form; null stays None, what was not written stays out.

    :param written: options of one object by field name, only those that stand in the task.
    :param where: the object as the user knows it, for messages.
    :raises InvalidInput: for a value the API would refuse.
    """
    known = {field.name: field for field in resource.fields_for(protocol)}
    result: Values = {}
    for name, value in written.items():
        if name not in known:
            raise InvalidInput(f"{where}: {name} does not exist for {protocol}; leave it out")
        result[name] = _normalise_value(known[name], protocol, value, f"{where}: {name}")
    if resource is FRONTEND:
        check_sources(result, where)
    return result


def _normalise_value(field: Field, protocol: str, value: t.Any, where: str) -> t.Any:
    if value is None:
        if protocol in field.required:
            raise InvalidInput(f"{where} can not be null; give a value, or leave it out to keep what is there")
        return None
    if field.choices and value not in field.choices_for(protocol):
        raise InvalidInput(f'{where}: "{value}" is not one of {", ".join(field.choices_for(protocol))}')
    if field.fields:
        return _normalise_probe(value, where)
    return field.check(value, where) if field.check else value


def _normalise_probe(written: Values, where: str) -> Values:
    probe: Values = {}
    for field in PROBE_FIELDS:
        if field.name in written:
            probe[field.name] = _normalise_value(field, "http", written[field.name], f"{where}.{field.name}")
    return probe


def check_sources(frontend: Values, where: str) -> None:
    """:raises InvalidInput: for both lists at once, as the API does."""
    if frontend.get("allowed_source") and frontend.get("denied_source"):
        raise InvalidInput(
            f"{where}: allowed_source and denied_source exclude each other; set the one you do not want to []"
        )


def merge_probe(wanted: Values | None, current: Values | None, where: str) -> Values | None:
    """The whole probe to send: what is wanted over what is there.

    When the type changes, only port and interval are carried over: the rest means something else to another type.
    ``negate`` goes only with ``match``, because the API refuses it alone.

    :raises InvalidInput: for a field that the probe's type does not take, or ``negate`` without ``match``.
    """
    if wanted is None:
        return None
    current = current or {}
    probe_type: str = wanted.get("type", current.get("type")) or "tcp"
    same_type = current.get("type") == probe_type
    kept: Values = current if same_type else {name: current[name] for name in ("port", "interval") if name in current}
    merged: Values = {**kept, **wanted, "type": probe_type}
    _check_probe(probe_type, wanted, merged, where)
    allowed = PROBE_TYPE_FIELDS[probe_type] | {"type", "interval"}
    return {
        name: value
        for name, value in merged.items()
        if name in allowed and not (name == "negate" and merged.get("match") is None)
    }


def _check_probe(probe_type: str, wanted: Values, merged: Values, where: str) -> None:
    allowed = PROBE_TYPE_FIELDS[probe_type] | {"type", "interval"}
    for field in PROBE_FIELDS:
        # The API may answer with the default of a field that the type does not take, and answers can be written back.
        harmless = (None, field.default, *field.unsure_defaults)
        if field.name not in allowed and wanted.get(field.name) not in harmless:
            raise InvalidInput(f"{where}.{field.name} does not exist for a probe of type {probe_type}; leave it out")
    match = merged.get("match")
    matches = PROBE_TYPE_MATCHES.get(probe_type, ("default",))
    if match is not None and match not in matches:
        raise InvalidInput(f"{where}.match: a probe of type {probe_type} takes {', '.join(matches)}, not {match}")
    if merged.get("negate") and match is None:
        raise InvalidInput(f"{where}.negate needs {where}.match: the API refuses to negate without a match")


def same(field: Field, wanted: t.Any, current: t.Any) -> bool:
    """Whether a wanted value is what the API already has: null is the default, lists are sets."""
    if field.fields:
        return _same_probe(wanted, current)
    if _canonical(field, wanted) == _canonical(field, current):
        return True
    return wanted is None and current in field.unsure_defaults


def _same_probe(wanted: Values | None, current: Values | None) -> bool:
    if not wanted or not current:
        return not wanted and not current
    return all(same(field, wanted.get(field.name), current.get(field.name)) for field in PROBE_FIELDS)


def _canonical(field: Field, value: t.Any) -> t.Any:
    value = field.default if value is None else value
    return frozenset(value) if field.is_set else value


def from_api(resource: Resource, protocol: str, answer: Values) -> Values:
    """An answer of the API as values by field name, in canonical form."""
    values: Values = {}
    for field in resource.fields_for(protocol):
        values[field.name] = _value_from_api(field, answer.get(field.api))
    return values


def _value_from_api(field: Field, value: t.Any) -> t.Any:
    if value is None:
        return None if field.nullable else field.default
    if field.fields:
        # A probe without type is how the API may say "no probe".
        probe = {sub.name: value.get(sub.api) for sub in field.fields}
        return probe if probe["type"] else None
    try:
        return field.check(value, field.name) if field.check else value
    except InvalidInput:
        return value


def to_api(resource: Resource, values: Values) -> Values:
    """A request body. Null resets; a field that can not be null gets its default."""
    return {field.api: _value_to_api(field, values[field.name]) for field in resource.fields if field.name in values}


def _value_to_api(field: Field, value: t.Any) -> t.Any:
    if field.fields:
        written: Values = value or NO_PROBE
        return {sub.api: written[sub.name] for sub in field.fields if sub.name in written}
    if value is None and (not field.nullable or field.is_set):
        # [] clears a list as surely as null does, and is what other clients send.
        return field.default
    return value
