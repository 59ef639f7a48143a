# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one table of resources: fields, types, what is nullable, create-only or read-only, ranges and choices.

Source: OVHcloud's published schema of /ipLoadbalancing (EU, 2026), section "models".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

WRITE, CREATE, READ = "write", "create", "read"


@dataclass(frozen=True)
class Field:
    """``type`` names a check of ``validation``. ``default`` is the value of a field that was never written."""

    name: str
    type: str
    nullable: bool = True
    access: str = WRITE
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    max_length: int | None = None


@dataclass(frozen=True)
class Resource:
    """``filters`` are the list's query parameters with their operator: ``=``, ``like``, ``<``, ``>=`` or ``<=``."""

    protocol: str
    kind: str
    id_field: str
    fields: tuple[Field, ...]
    filters: dict[str, str] = field(default_factory=dict)
    parent: Resource | None = None
    parent_field: str | None = None  # the field that shows the parent's id, if one does

    @cached_property
    def name(self) -> str:
        return f"{self.protocol}/{self.kind}".lstrip("/")

    @property
    def action(self) -> str:
        """Path without ids, as IAM actions use it: ``tcp/farm/server``."""
        return f"{self.parent.action}/{self.kind}" if self.parent else self.name

    @property
    def collection(self) -> str:
        """Path below the service: ``tcp/farm/{farmId}/server``."""
        return f"{self.parent.item}/{self.kind}" if self.parent else self.name

    @property
    def item(self) -> str:
        return f"{self.collection}/{{{self.id_field}}}"

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {entry.name: entry for entry in self.fields}


LOWEST_PORT, HIGHEST_PORT = 1, 49151

DISPLAY_NAME = Field("displayName", "string", max_length=255)
PORT = Field("port", "long", minimum=LOWEST_PORT, maximum=HIGHEST_PORT)
VRACK = Field("vrackNetworkId", "vrackNetwork")
FARM_ZONE = Field("zone", "zone", nullable=False, access=CREATE, required=True)

PROBE_FIELDS = (
    Field("forceSsl", "boolean"),
    Field("interval", "long", minimum=30),
    Field("match", "string", choices=("contains", "default", "matches", "status")),
    Field("method", "string", choices=("GET", "HEAD", "OPTIONS")),
    Field("negate", "boolean"),
    Field("pattern", "string"),
    PORT,
    Field("type", "string", choices=("http", "mysql", "oco", "pgsql", "smtp", "tcp")),
    Field("url", "string"),
)

# Which match goes with which type of probe; the answer of availableFarmProbes says the same.
PROBE_MATCHES = {
    "http": ("default", "contains", "matches", "status"),
    "mysql": ("default",),
    "oco": ("default",),
    "pgsql": ("default",),
    "smtp": ("default",),
    "tcp": ("default", "contains", "matches"),
}

TCP_BALANCE = ("first", "leastconn", "roundrobin", "source")


def _farm(protocol: str, balance: tuple[str, ...], stickiness: tuple[str, ...]) -> Resource:
    fields = (
        Field("balance", "string", choices=balance),
        DISPLAY_NAME,
        Field("farmId", "long", nullable=False, access=READ),
        PORT,
        Field("probe", "probe"),
        Field("stickiness", "string", choices=stickiness),
        VRACK,
        FARM_ZONE,
    )
    return Resource(protocol, "farm", "farmId", fields, {"vrackNetworkId": "=", "zone": "="})


TCP_FARM = _farm("tcp", TCP_BALANCE, ("sourceIp",))
HTTP_FARM = _farm("http", (*TCP_BALANCE, "uri"), ("cookie", "sourceIp"))
UDP_FARM = Resource(
    "udp",
    "farm",
    "farmId",
    (
        DISPLAY_NAME,
        Field("farmId", "long", nullable=False, access=READ),
        replace(PORT, nullable=False, required=True),
        VRACK,
        FARM_ZONE,
    ),
    {"vrackNetworkId": "=", "zone": "="},
)

ADDRESS = Field("address", "ipv4", nullable=False, access=CREATE, required=True)
BACKEND_ID = Field("backendId", "long", nullable=False, access=READ)
SERVER_ID = Field("serverId", "long", nullable=False, access=READ)
STATUS = Field("status", "string", nullable=False, required=True, choices=("active", "inactive"))

TCP_SERVER_FIELDS = (
    ADDRESS,
    BACKEND_ID,
    Field("backup", "boolean", nullable=False, default=False),
    Field("chain", "string"),
    DISPLAY_NAME,
    Field("onMarkedDown", "string", choices=("shutdown-sessions",)),
    PORT,
    Field("probe", "boolean", nullable=False, default=False),
    Field("proxyProtocolVersion", "string", choices=("v1", "v2", "v2-ssl", "v2-ssl-cn")),
    SERVER_ID,
    Field("serverState", "computed", nullable=False, access=READ),
    Field("ssl", "boolean", nullable=False, default=False),
    STATUS,
    Field("weight", "long", minimum=0, maximum=256),
)
SERVER_FILTERS = {"address": "=", "status": "="}

TCP_SERVER = Resource("tcp", "server", "serverId", TCP_SERVER_FIELDS, SERVER_FILTERS, TCP_FARM, "backendId")
HTTP_SERVER = Resource(
    "http",
    "server",
    "serverId",
    (*TCP_SERVER_FIELDS, Field("cookie", "string")),
    {**SERVER_FILTERS, "cookie": "like"},
    HTTP_FARM,
    "backendId",
)
UDP_SERVER = Resource(
    "udp",
    "server",
    "serverId",
    (ADDRESS, BACKEND_ID, DISPLAY_NAME, PORT, SERVER_ID, STATUS),
    SERVER_FILTERS,
    UDP_FARM,
    "backendId",
)

UDP_FRONTEND_FIELDS = (
    Field("dedicatedIpfo", "ipBlock[]"),
    Field("defaultFarmId", "farm"),
    Field("disabled", "boolean", nullable=False, default=False),
    DISPLAY_NAME,
    Field("frontendId", "long", nullable=False, access=READ),
    Field("port", "ports", nullable=False, required=True),
    Field("zone", "zone", nullable=False, required=True),
)
TCP_FRONTEND_FIELDS = (
    *UDP_FRONTEND_FIELDS,
    Field("allowedSource", "ipBlock[]"),
    Field("defaultSslId", "certificate"),
    Field("deniedSource", "ipBlock[]"),
    Field("ssl", "boolean", nullable=False, default=False),
    Field("vrackNetworkId", "long", access=READ),
    Field("vrackVrouterId", "long", access=READ),
)
FRONTEND_FILTERS = {"defaultFarmId": "=", "port": "like", "zone": "="}

TCP_FRONTEND = Resource("tcp", "frontend", "frontendId", TCP_FRONTEND_FIELDS, {**FRONTEND_FILTERS, "defaultSslId": "="})
HTTP_FRONTEND = Resource(
    "http",
    "frontend",
    "frontendId",
    (
        *TCP_FRONTEND_FIELDS,
        Field("hsts", "boolean", nullable=False, default=False),
        Field("httpHeader", "string[]"),
        Field("redirectLocation", "string"),
    ),
    {**FRONTEND_FILTERS, "defaultSslId": "="},
)
UDP_FRONTEND = Resource("udp", "frontend", "frontendId", UDP_FRONTEND_FIELDS, FRONTEND_FILTERS)


def _route(protocol: str) -> Resource:
    fields = (
        Field("action", "action", nullable=False, required=True),
        DISPLAY_NAME,
        Field("frontendId", "frontend"),
        Field("routeId", "long", nullable=False, access=READ),
        Field("rules", "computed", nullable=False, access=READ),
        Field("status", "computed", nullable=False, access=READ, default="ok"),
        Field("weight", "long", nullable=False, default=0, minimum=0, maximum=255),
    )
    return Resource(protocol, "route", "routeId", fields, {"frontendId": "="})


def _rule(route: Resource) -> Resource:
    matches = ("contains", "endswith", "exists", "in", "is", "matches", "startswith")
    fields = (
        DISPLAY_NAME,
        Field("field", "string", nullable=False, required=True),
        Field("match", "string", nullable=False, required=True, choices=matches),
        Field("negate", "boolean", nullable=False, default=False),
        Field("pattern", "string", max_length=255),
        Field("ruleId", "long", nullable=False, access=READ),
        Field("subField", "string"),
    )
    return Resource(route.protocol, "rule", "ruleId", fields, {}, route)


TCP_ROUTE, HTTP_ROUTE = _route("tcp"), _route("http")
TCP_RULE, HTTP_RULE = _rule(TCP_ROUTE), _rule(HTTP_ROUTE)

MOST_ROUTES, MOST_RULES = 50, 5

RESOURCES = (
    TCP_FARM,
    TCP_SERVER,
    TCP_FRONTEND,
    TCP_ROUTE,
    TCP_RULE,
    HTTP_FARM,
    HTTP_SERVER,
    HTTP_FRONTEND,
    HTTP_ROUTE,
    HTTP_RULE,
    UDP_FARM,
    UDP_SERVER,
    UDP_FRONTEND,
)


def _read_only(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "any", nullable=False, access=READ) for name in names)


# Certificates: what is answered, and what a POST takes.
CERTIFICATE = Resource(
    "",
    "ssl",
    "id",
    (DISPLAY_NAME, *_read_only("expireDate", "fingerprint", "id", "san", "serial", "subject", "type")),
    {"expireDate": "<", "fingerprint": "like", "serial": "like", "type": "="},
)
CERTIFICATE_MATERIAL = (
    Field("certificate", "string", nullable=False, required=True),
    Field("chain", "string"),
    DISPLAY_NAME,
    Field("key", "string", nullable=False, required=True),
)

MIN_NAT_IPS, MOST_NETWORKS = 16, 10
VRACK_NETWORK = Resource(
    "vrack",
    "network",
    "vrackNetworkId",
    (
        DISPLAY_NAME,
        Field("farmId", "long[]", nullable=False, access=CREATE, default=()),
        Field("natIp", "ipBlock", nullable=False, required=True),
        Field("subnet", "ipBlock", nullable=False, access=CREATE, required=True),
        Field("vlan", "long", nullable=False, default=0, minimum=0, maximum=4094),
        Field("vrackNetworkId", "long", nullable=False, access=READ),
    ),
    {"subnet": "=", "vlan": "="},
)

SERVICE_FIELDS = (
    Field("displayName", "string", max_length=50),
    Field("sslConfiguration", "string", choices=("intermediate", "modern")),
    *_read_only(
        "iam",
        "ipLoadbalancing",
        "ipv4",
        "ipv6",
        "metricsToken",
        "offer",
        "orderableZone",
        "serviceName",
        "state",
        "vrackEligibility",
        "vrackName",
        "zone",
    ),
)
SERVICE = Resource("", "service", "serviceName", SERVICE_FIELDS)
QUOTA_FIELDS = (
    Field("alert", "long", minimum=0),
    *_read_only("included", "lastUpdateDate", "resetDate", "total", "zone"),
)
