# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A farm as a backend of HAProxy: balancing, stickiness, probes, servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..configuration import Configuration, Record
from ..health import probe_of, scaled_interval
from ..state import Settings
from .words import chain_path, name_of, quote, server_cookie

SEND_PROXY = {
    "v1": "send-proxy",
    "v2": "send-proxy-v2",
    "v2-ssl": "send-proxy-v2-ssl",
    "v2-ssl-cn": "send-proxy-v2-ssl-cn",
}
OCO_PORT = 79  # fixed
FALL = 2  # "two consecutive failures" (guide "create probes")


def backend_section(farm: Record, configuration: Configuration, settings: Settings, directory: Path) -> Iterator[str]:
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
            yield f"    {server_line(server, farm, configuration, settings, directory)}"


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


def server_line(server: Record, farm: Record, configuration: Configuration, settings: Settings, directory: Path) -> str:
    values = server.values
    port = values["port"] or farm.values["port"]
    words = [f"server {name_of(server)} {server_address(values['address'], port, settings)}"]
    if values["weight"] is not None:
        words.append(f"weight {values['weight']}")
    if values["backup"]:
        words.append("backup")
    if farm.values["stickiness"] == "cookie":
        words.append(f"cookie {quote(server_cookie(server))}")
    if values["ssl"] and values["chain"]:
        words.append(f"ssl verify required ca-file {quote(str(chain_path(directory, server)))}")
    elif values["ssl"]:
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
