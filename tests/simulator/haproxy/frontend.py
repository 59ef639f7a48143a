# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A frontend of HAProxy: addresses, TLS, sources, headers, redirection, routes, default farm."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..configuration import ALL, Configuration, Record
from ..ports import parse_ports
from ..schema import CERTIFICATE
from ..state import Settings, Zone
from .routes import http_routes, tcp_routes
from .words import certificate_path, name_of, quote

HSTS = "max-age=15768000"


def frontend_section(
    frontend: Record, configuration: Configuration, zone: Zone, settings: Settings, directory: Path
) -> Iterator[str]:
    values = frontend.values
    yield f"frontend {name_of(frontend)}"
    yield f"    mode {frontend.resource.protocol}"
    if values["disabled"]:
        yield "    disabled"
    tls = " ssl" + "".join(certificates(frontend, configuration, directory)) if values["ssl"] else ""
    for address in bind_addresses(frontend, configuration, zone, settings):
        for first, last in parse_ports(values["port"]):
            ports = f"{first + settings.port_offset}" + (f"-{last + settings.port_offset}" if last > first else "")
            yield f"    bind {address}:{ports}{tls}"
    if values["allowedSource"]:
        yield f"    tcp-request connection reject unless {{ src {' '.join(values['allowedSource'])} }}"
    if values["deniedSource"]:
        yield f"    tcp-request connection reject if {{ src {' '.join(values['deniedSource'])} }}"
    farms = {
        farm.id: name_of(farm)
        for farm in configuration.kind("farm", frontend.resource.protocol)
        if farm.values["zone"] in (ALL, zone.name)
    }
    if frontend.resource.protocol == "http":
        yield from http_lines(frontend, configuration, farms, settings)
    else:
        yield from tcp_routes(frontend, configuration, farms)
    if values["defaultFarmId"] in farms:
        yield f"    default_backend {farms[values['defaultFarmId']]}"


def certificates(frontend: Record, configuration: Configuration, directory: Path) -> Iterator[str]:
    """Every certificate is offered; HAProxy takes the first for clients that ask for none of their names."""
    ids = [certificate.id for certificate in configuration.select(CERTIFICATE.name)]
    for id_ in sorted(ids, key=lambda id_: (id_ != frontend.values["defaultSslId"], ids.index(id_))):
        yield f" crt {quote(str(certificate_path(directory, id_)))}"


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


def http_lines(
    frontend: Record, configuration: Configuration, farms: dict[int, str], settings: Settings
) -> Iterator[str]:
    """The redirection is a default like the farm: routes come first."""
    values = frontend.values
    yield from header_lines(values)
    yield from http_routes(frontend, configuration, farms, settings)
    if values["redirectLocation"]:
        # A location is a format string: its percent signs are its own.
        location = quote(values["redirectLocation"].replace("%", "%%"))
        yield f"    http-request redirect location {location} unless {{ var(txn.route) -m found }}"


def header_lines(values: dict[str, Any]) -> Iterator[str]:
    """%ci and %cp are the client's address and port, for HAProxy as for the API; other percent signs are text."""
    for header in values["httpHeader"] or []:
        name, value = header.partition(" ")[::2]
        yield f"    http-request set-header {quote(name)} {quote(re.sub(r'%(?!c[ip])', '%%', value))}"
    if values["hsts"]:
        yield f"    http-after-response set-header Strict-Transport-Security {HSTS}"
