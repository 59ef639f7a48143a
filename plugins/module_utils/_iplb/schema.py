# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""THE table: every resource of ``/ipLoadbalancing``, its fields, its parent and what it refers to. Private to the
collection.

Every field name, API name, type, choice, range and API default stands here and nowhere else. Argument specs, request
bodies, comparison, matching, the order of writes, purge and what is read derive from it. A new field is one row and its
documentation; a new resource is one row, its documentation and its fixtures.

Source: OVHcloud's published schema of ``/ipLoadbalancing`` and the Load Balancer guides.
"""

from __future__ import annotations

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import checks
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.probe import PROBE_FIELDS, merge_probe
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import (
    EVERY,
    NO_PROTOCOL,
    TCP_HTTP,
    Fact,
    Field,
    Reference,
    Resource,
)

NAME = Field("display_name", "displayName")


def _flag(name: str, api: str, protocols: tuple[str, ...] = EVERY) -> Field:
    return Field(name, api, "bool", default=False, nullable=False, protocols=protocols)


def _networks(name: str, api: str, protocols: tuple[str, ...] = EVERY) -> Field:
    return Field(name, api, "list", default=[], check=checks.check_networks, protocols=protocols)


VRACK_NETWORK = Resource(
    "vrack_network",
    "vrack/network",
    "vrackNetworkId",
    (
        NAME,
        Field("subnet", "subnet", nullable=False, required=EVERY, create_only=True, check=checks.check_network),
        Field("nat_ip", "natIp", nullable=False, required=EVERY, check=checks.check_network),
        Field("vlan", "vlan", "int", default=0, nullable=False, check=checks.check_vlan),
    ),
    protocols=(NO_PROTOCOL,),
    zones="",
    inside=("nat_ip", "subnet"),
)

CERTIFICATE = Resource(
    "certificate",
    "ssl",
    "id",
    (
        NAME,
        Field("certificate", "certificate", required=EVERY, create_only=True, write_only=True, check=checks.check_pem),
        Field("chain", "chain", create_only=True, write_only=True, check=checks.check_chain),
        Field("key", "key", required=EVERY, create_only=True, write_only=True, secret=True, check=checks.check_pem),
    ),
    protocols=(NO_PROTOCOL,),
    identity="fingerprint",
    zones="",
    facts=(
        Fact("fingerprint", "fingerprint"),
        Fact("serial", "serial"),
        Fact("subject", "subject"),
        Fact("san", "san", is_list=True),
        Fact("expire_date", "expireDate"),
        Fact("type", "type"),
    ),
    purge=False,
)

FARM = Resource(
    "farm",
    "{protocol}/farm",
    "farmId",
    (
        NAME,
        Field("zone", "zone", nullable=False, required=EVERY, create_only=True, check=checks.check_zone),
        Field("port", "port", "int", required=("udp",), check=checks.check_port),
        Field(
            "balance",
            "balance",
            choices=("first", "leastconn", "roundrobin", "source"),
            choices_http=("uri",),
            default="roundrobin",
            protocols=TCP_HTTP,
        ),
        Field("probe", "probe", "dict", protocols=TCP_HTTP, fields=PROBE_FIELDS, merge=merge_probe),
        Field("stickiness", "stickiness", choices=("sourceIp",), choices_http=("cookie",), protocols=TCP_HTTP),
        Field("vrack_network_id", "vrackNetworkId", "int", check=checks.check_id),
    ),
    references=(Reference("vrack_network_id", "vrack_network", "vrack_network"),),
    replaceable=True,
    defined="definedFarms",
)

SERVER = Resource(
    "server",
    "{protocol}/farm/{parent}/server",
    "serverId",
    (
        Field("address", "address", nullable=False, required=EVERY, create_only=True, check=checks.check_ipv4),
        Field("port", "port", "int", check=checks.check_port, inherits=True),
        NAME,
        Field("status", "status", choices=("active", "inactive"), nullable=False, required=EVERY),
        _flag("probe", "probe", TCP_HTTP),
        Field("weight", "weight", "int", default=1, check=checks.check_weight, protocols=TCP_HTTP),
        _flag("backup", "backup", TCP_HTTP),
        Field(
            "proxy_protocol_version",
            "proxyProtocolVersion",
            choices=("v1", "v2", "v2-ssl", "v2-ssl-cn"),
            protocols=TCP_HTTP,
        ),
        Field("on_marked_down", "onMarkedDown", choices=("shutdown-sessions",), protocols=TCP_HTTP),
        _flag("ssl", "ssl", TCP_HTTP),
        Field("chain", "chain", check=checks.check_chain, protocols=TCP_HTTP),
        Field("cookie", "cookie", protocols=("http",)),
    ),
    parent="farm",
    identity="address",
    zones="parent",
    facts=(Fact("server_state", "serverState", is_list=True),),
)

FRONTEND = Resource(
    "frontend",
    "{protocol}/frontend",
    "frontendId",
    (
        NAME,
        Field("zone", "zone", nullable=False, required=EVERY, check=checks.check_zone),
        Field("port", "port", nullable=False, required=EVERY, check=checks.check_ports),
        Field("default_farm_id", "defaultFarmId", "int", check=checks.check_id),
        _networks("allowed_source", "allowedSource", TCP_HTTP),
        _networks("denied_source", "deniedSource", TCP_HTTP),
        _networks("dedicated_ipfo", "dedicatedIpfo"),
        _flag("disabled", "disabled"),
        _flag("ssl", "ssl", TCP_HTTP),
        Field("default_ssl_id", "defaultSslId", "int", check=checks.check_id, protocols=TCP_HTTP),
        _flag("hsts", "hsts", ("http",)),
        Field("http_header", "httpHeader", "list", default=[], protocols=("http",)),
        Field("redirect_location", "redirectLocation", protocols=("http",)),
    ),
    references=(
        Reference("default_farm_id", "default_farm", "farm", zoned=True),
        Reference("default_ssl_id", "default_ssl", "certificate"),
    ),
    exclusive=("allowed_source", "denied_source"),
    defined="definedFrontends",
)

# What there is to choose from is the service's to say (availableRouteActions, availableRouteRules), so no list of ours.
ACTION_FIELDS = (
    Field("type", "type", required=TCP_HTTP),
    # The id of a farm as text, or the URL of a redirection.
    Field("target", "target", default=""),
    Field("status", "status", "int", protocols=("http",)),
)

ROUTE = Resource(
    "route",
    "{protocol}/route",
    "routeId",
    (
        Field("display_name", "displayName", check=checks.check_text),
        Field("frontend_id", "frontendId", "int", check=checks.check_id),
        Field("weight", "weight", "int", default=0, nullable=False, check=checks.check_route_weight),
        Field("action", "action", "dict", required=TCP_HTTP, fields=ACTION_FIELDS),
    ),
    TCP_HTTP,
    references=(
        Reference("frontend_id", "frontend", "frontend"),
        Reference("target", "farm", "farm", within="action", when="farm"),
    ),
    zones="frontend_id",
    facts=(Fact("status", "status"), Fact("rules", "rules", is_list=True)),
    defined="definedRoutes",
)

RULE = Resource(
    "rule",
    "{protocol}/route/{parent}/rule",
    "ruleId",
    (
        Field("display_name", "displayName", check=checks.check_text),
        Field("field", "field", nullable=False, required=TCP_HTTP),
        Field("match", "match", nullable=False, required=TCP_HTTP),
        _flag("negate", "negate"),
        Field("pattern", "pattern", default="", check=checks.check_text),
        Field("sub_field", "subField", default=""),
    ),
    protocols=TCP_HTTP,
    parent="route",
    identity="content",
    zones="parent",
    owned=True,
    cascades=True,
)

# In an order in which each refers only to what stands before it; test_schema holds it to that.
RESOURCES = (VRACK_NETWORK, CERTIFICATE, FARM, SERVER, FRONTEND, ROUTE, RULE)
BY_KIND = {resource.kind: resource for resource in RESOURCES}

SERVICE_FIELDS = (
    Field("display_name", "displayName", check=checks.check_service_name),
    Field("ssl_configuration", "sslConfiguration", choices=("intermediate", "modern"), default="intermediate"),
)
QUOTA_FIELDS = (Field("alert", "alert", "int", check=checks.check_alert),)


def child_of(resource: Resource) -> Resource | None:
    """The resource whose parent this one is."""
    return next((child for child in RESOURCES if child.parent == resource.kind), None)


def referrers(kind: str) -> list[tuple[Resource, Reference]]:
    """What may refer to objects of a kind."""
    return [
        (resource, reference) for resource in RESOURCES for reference in resource.references if reference.kind == kind
    ]
