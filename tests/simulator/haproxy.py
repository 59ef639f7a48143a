# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders what is deployed in one zone as a configuration of HAProxy (2.6 and later). Pure: text in, text out.

HAProxy has no UDP: udp farms and frontends are left out. Rules of routes are rendered where HAProxy can decide on the
connection alone, which is the source address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .configuration import Configuration, Record
from .health import probe_of, scaled_interval
from .ports import parse_ports
from .state import Settings, Zone

SEND_PROXY = {
    "v1": "send-proxy",
    "v2": "send-proxy-v2",
    "v2-ssl": "send-proxy-v2-ssl",
    "v2-ssl-cn": "send-proxy-v2-ssl-cn",
}
OCO_PORT = 79  # fixed
CHECK_TIMEOUT = 5  # seconds, at least 1 of them whatever the time scale
FALL = 2  # "two consecutive failures" (guide "create probes")


def render(configuration: Configuration, zone: Zone, settings: Settings, directory: Path) -> str:
    """``directory`` holds the zone's runtime socket and the certificate of its TLS listeners."""
    records = configuration.in_zone(zone.name)
    lines = [*global_section(zone, settings, directory)]
    for record in records:
        if record.resource.protocol == "udp":
            continue
        if record.resource.kind == "frontend":
            lines += ["", *frontend_section(record, configuration, zone, settings, directory)]
        if record.resource.kind == "farm":
            lines += ["", *backend_section(record, configuration, settings)]
    return "\n".join(lines) + "\n"


def socket_path(directory: Path) -> Path:
    return directory / "haproxy.sock"


def certificate_path(directory: Path) -> Path:
    return directory / "certificate.pem"


def global_section(zone: Zone, settings: Settings, directory: Path) -> Iterator[str]:
    yield "global"
    yield f"    stats socket {quote(str(socket_path(directory)))} mode 600 level admin expose-fd listeners"
    yield "    nbthread 1"
    yield "    maxconn 1000"
    yield "    hard-stop-after 30s"
    yield ""
    yield "defaults"
    yield "    timeout connect 5s"
    yield "    timeout client 10m"
    yield "    timeout server 10m"
    yield f"    timeout check {round(max(CHECK_TIMEOUT * settings.time_scale, 1) * 1000)}ms"
    if zone.source:
        yield f"    source {zone.source}"


# Frontends


def frontend_section(
    frontend: Record, configuration: Configuration, zone: Zone, settings: Settings, directory: Path
) -> Iterator[str]:
    values = frontend.values
    yield f"frontend {name_of(frontend)}"
    yield f"    mode {frontend.resource.protocol}"
    if values["disabled"]:
        yield "    disabled"
    tls = f" ssl crt {quote(str(certificate_path(directory)))}" if values["ssl"] else ""
    for address in bind_addresses(frontend, configuration, zone, settings):
        for first, last in parse_ports(values["port"]):
            ports = f"{first + settings.port_offset}" + (f"-{last + settings.port_offset}" if last > first else "")
            yield f"    bind {address}:{ports}{tls}"
    if values["allowedSource"]:
        yield f"    tcp-request connection reject unless {{ src {' '.join(values['allowedSource'])} }}"
    if values["deniedSource"]:
        yield f"    tcp-request connection reject if {{ src {' '.join(values['deniedSource'])} }}"
    if frontend.resource.protocol == "http":
        yield from http_rules(values)
    farms = {
        record.id: name_of(record) for record in configuration.in_zone(zone.name) if record.resource.kind == "farm"
    }
    for route in configuration.routes_of(frontend):
        yield from route_lines(route, configuration, farms)
    if values["defaultFarmId"] in farms:
        yield f"    default_backend {farms[values['defaultFarmId']]}"


def bind_addresses(frontend: Record, configuration: Configuration, zone: Zone, settings: Settings) -> Iterator[str]:
    """Addresses in dedicatedIpfo serve that frontend alone; the others listen on all that remain."""
    own = frontend.values["dedicatedIpfo"]
    if own:
        yield from addresses(own)
        return
    taken = {block for other in configuration.kind("frontend") for block in other.values["dedicatedIpfo"] or []}
    yield zone.bind
    yield from addresses([block for block in settings.failover if block not in taken])


def addresses(blocks: list[str]) -> Iterator[str]:
    for block in blocks:
        yield from (str(address) for address in ipaddress.ip_network(block))


def http_rules(values: dict[str, Any]) -> Iterator[str]:
    for header in values["httpHeader"] or []:
        name, value = header.partition(" ")[::2]
        yield f"    http-request set-header {quote(name)} {quote(value)}"
    if values["hsts"]:
        yield "    http-response set-header Strict-Transport-Security max-age=15768000"
    if values["redirectLocation"]:
        # A location is a format string: its percent signs are its own.
        yield f"    http-request redirect location {quote(values['redirectLocation'].replace('%', '%%'))}"


def route_lines(route: Record, configuration: Configuration, farms: dict[int, str]) -> Iterator[str]:
    """``farms``: backend names of the farms in the zone."""
    rules = configuration.select(f"{route.resource.protocol}/rule", route.id)
    conditions = [condition(rule.values) for rule in rules]
    if not conditions or None in conditions:
        yield f"    # route {route.id} is not simulated"
        return
    test = " ".join(str(part) for part in conditions)
    action = route.values["action"]
    if action["type"] == "reject":
        yield f"    tcp-request content reject if {test}"
    if action["type"] == "redirect":
        yield f"    # route {route.id} is not simulated"
    if action["type"] == "farm" and int(action["target"]) in farms:
        yield f"    use_backend {farms[int(action['target'])]} if {test}"


def condition(rule: dict[str, Any]) -> str | None:
    """An anonymous ACL of HAProxy; None for rules that are not simulated."""
    negation = "!" if rule["negate"] else ""
    if rule["field"] == "source":
        blocks = [part.strip() for part in rule["pattern"].split(",")]
        return f"{negation}{{ src {' '.join(blocks)} }}"
    if rule["field"] == "protocol" and rule["pattern"] == "tcp":
        return f"{negation}{{ always_true }}"
    return None


# Farms


def backend_section(farm: Record, configuration: Configuration, settings: Settings) -> Iterator[str]:
    values = farm.values
    yield f"backend {name_of(farm)}"
    yield f"    mode {farm.resource.protocol}"
    yield f"    balance {values['balance'] or 'roundrobin'}"
    if values["stickiness"] == "sourceIp":
        yield "    stick-table type ip size 10k expire 30m"
        yield "    stick on src"
    if values["stickiness"] == "cookie":
        yield "    cookie SERVERID insert indirect nocache"
    if values["probe"]:
        yield from probe_lines(values["probe"])
    for server in configuration.select(f"{farm.resource.protocol}/server", farm.id):
        if server.values["status"] == "active":
            yield f"    {server_line(server, farm, configuration, settings)}"


def probe_lines(probe: dict[str, Any]) -> Iterator[str]:
    kind = probe["type"] or "tcp"
    if kind == "smtp":
        yield "    option smtpchk"
    if kind == "mysql":
        yield "    option mysql-check"
    if kind == "pgsql":
        yield "    option pgsql-check user iplb"
    if kind == "http":
        yield from http_check(probe)
    if kind == "tcp" and probe["match"] in ("contains", "matches"):
        yield "    option tcp-check"
        yield f"    tcp-check expect {expectation(probe)}"


def http_check(probe: dict[str, Any]) -> Iterator[str]:
    host, path = split_url(probe["url"] or "/")
    yield "    option httpchk"
    send = f"    http-check send meth {probe['method'] or 'GET'} uri {quote(path)}"
    yield f"{send} ver HTTP/1.1 hdr Host {quote(host)}" if host else send
    if probe["match"] in ("contains", "matches", "status"):
        yield f"    http-check expect {expectation(probe)}"


def split_url(url: str) -> tuple[str, str]:
    """Host (or nothing) and path of ``[http[s]://][host]/path``."""
    host, slash, path = re.sub(r"^https?://", "", url).partition("/")
    return host, slash + path or "/"


def expectation(probe: dict[str, Any]) -> str:
    word = {"contains": "string", "matches": "rstring", "status": "status"}[probe["match"]]
    return f"{'! ' if probe['negate'] else ''}{word} {quote(probe['pattern'])}"


def server_line(server: Record, farm: Record, configuration: Configuration, settings: Settings) -> str:
    values = server.values
    port = values["port"] or farm.values["port"]
    words = [f"server {name_of(server)} {server_address(values['address'], port, settings)}"]
    if values["weight"] is not None:
        words.append(f"weight {values['weight']}")
    if values["backup"]:
        words.append("backup")
    if values.get("cookie"):
        words.append(f"cookie {quote(values['cookie'])}")
    if values["ssl"]:
        words.append("ssl verify none")
    if values["proxyProtocolVersion"]:
        words.append(SEND_PROXY[values["proxyProtocolVersion"]])
    if values["onMarkedDown"]:
        words.append(f"on-marked-down {values['onMarkedDown']}")
    probe = probe_of(configuration, server)
    if probe:
        words += check_words(probe, port, settings)
    return " ".join(words)


def server_address(address: str, port: int | None, settings: Settings) -> str:
    """Without a port the server is reached on the frontend's, from which the offset is taken off again."""
    if port:
        return f"{address}:{port}"
    return f"{address}:-{settings.port_offset}" if settings.port_offset else address


def check_words(probe: dict[str, Any], port: int | None, settings: Settings) -> Iterator[str]:
    """A check on a port of its own loses PROXY header and TLS: that is what HAProxy's ``port`` does."""
    check_port = OCO_PORT if probe["type"] == "oco" else probe["port"] or port
    if check_port is None:
        return  # no port to check: such probes "may not work as expected" (guide "create probes")
    yield f"check inter {round(scaled_interval(probe, settings.time_scale) * 1000)}ms fall {FALL}"
    if check_port != port:
        yield f"port {check_port}"
    if probe["forceSsl"]:
        yield "check-ssl verify none"


def name_of(record: Record) -> str:
    return f"{record.resource.protocol}-{record.resource.kind}-{record.id}"


def quote(text: str) -> str:
    """One word of a configuration line, whatever the user wrote."""
    escaped = re.sub(r"""([\\ "'#$])""", r"\\\1", text)
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in escaped) or '""'
