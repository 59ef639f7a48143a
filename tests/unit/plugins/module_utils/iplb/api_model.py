# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of farms, servers and frontends, as OVHcloud's schema of /ipLoadbalancing has them.

Kept apart from the collection's own table, which is held against this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PROTOCOLS = ("tcp", "http", "udp")


@dataclass(frozen=True)
class ApiField:
    """``access`` is rw, ro, or create: settable at creation only. ``default`` is what null means."""

    type: str
    access: str = "rw"
    nullable: bool = True
    required: bool = False
    values: tuple[str, ...] = ()
    default: Any = None


Model = dict[str, ApiField]

_ID = ApiField("long", access="ro", nullable=False)
_FLAG = ApiField("boolean", nullable=False, default=False)
_TEXT = ApiField("string")
_NUMBER = ApiField("long")
_BLOCKS = ApiField("ipBlock[]", default=[])

PROBE: Model = {
    "forceSsl": ApiField("boolean", default=False),
    "interval": ApiField("long", default=30),
    "match": ApiField("string", values=("contains", "default", "internal", "matches", "status"), default="default"),
    "method": ApiField("string", values=("GET", "HEAD", "OPTIONS", "internal")),
    "negate": ApiField("boolean", default=False),
    "pattern": ApiField("string", default=""),
    "port": _NUMBER,
    "type": ApiField("string", values=("http", "internal", "mysql", "oco", "pgsql", "smtp", "tcp")),
    "url": ApiField("string", default="/"),
}

_UDP_FARM: Model = {
    "displayName": _TEXT,
    "farmId": _ID,
    "port": _NUMBER,
    "vrackNetworkId": _NUMBER,
    "zone": ApiField("string", access="create", nullable=False, required=True),
}
_TCP_FARM: Model = {
    **_UDP_FARM,
    "balance": ApiField("string", values=("first", "leastconn", "roundrobin", "source"), default="roundrobin"),
    "probe": ApiField("BackendProbe"),
    "stickiness": ApiField("string", values=("sourceIp",)),
}
_UDP_SERVER: Model = {
    "address": ApiField("ipv4", access="create", nullable=False, required=True),
    "backendId": _ID,
    "displayName": _TEXT,
    "port": _NUMBER,
    "serverId": _ID,
    "status": ApiField("string", nullable=False, required=True, values=("active", "inactive")),
}
_TCP_SERVER: Model = {
    **_UDP_SERVER,
    "backup": _FLAG,
    "chain": _TEXT,
    "onMarkedDown": ApiField("string", values=("shutdown-sessions",)),
    "probe": _FLAG,
    "proxyProtocolVersion": ApiField("string", values=("v1", "v2", "v2-ssl", "v2-ssl-cn")),
    "serverState": ApiField("ServerState[]", access="ro", nullable=False),
    "ssl": _FLAG,
    "weight": ApiField("long", default=1),
}
_UDP_FRONTEND: Model = {
    "dedicatedIpfo": _BLOCKS,
    "defaultFarmId": _NUMBER,
    "disabled": _FLAG,
    "displayName": _TEXT,
    "frontendId": _ID,
    "port": ApiField("string", nullable=False, required=True),
    "zone": ApiField("string", nullable=False, required=True),
}
_TCP_FRONTEND: Model = {
    **_UDP_FRONTEND,
    "allowedSource": _BLOCKS,
    "defaultSslId": _NUMBER,
    "deniedSource": _BLOCKS,
    "ssl": _FLAG,
    "vrackNetworkId": ApiField("long", access="ro"),
    "vrackVrouterId": ApiField("long", access="ro"),
}

MODELS: dict[tuple[str, str], Model] = {
    ("farm", "tcp"): _TCP_FARM,
    ("farm", "http"): {
        **_TCP_FARM,
        "balance": ApiField(
            "string", values=("first", "leastconn", "roundrobin", "source", "uri"), default="roundrobin"
        ),
        "stickiness": ApiField("string", values=("cookie", "sourceIp")),
    },
    ("farm", "udp"): {**_UDP_FARM, "port": ApiField("long", nullable=False, required=True)},
    ("server", "tcp"): _TCP_SERVER,
    ("server", "http"): {**_TCP_SERVER, "cookie": _TEXT},
    ("server", "udp"): _UDP_SERVER,
    ("frontend", "tcp"): _TCP_FRONTEND,
    ("frontend", "http"): {
        **_TCP_FRONTEND,
        "hsts": _FLAG,
        "httpHeader": ApiField("string[]", default=[]),
        "redirectLocation": _TEXT,
    },
    ("frontend", "udp"): _UDP_FRONTEND,
}
