# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders what is deployed in one zone as a configuration of HAProxy (2.6 and later). Pure: text in, text out.

HAProxy has no UDP: udp farms and frontends are left out, and a comment says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..configuration import Configuration
from ..state import SERVICE_ID, Settings, Zone
from .farm import backend_section
from .frontend import frontend_section
from .words import name_of, quote, socket_path

CHECK_TIMEOUT = 5  # seconds, at least 1 of them whatever the time scale
# sslConfiguration, "intermediate" unless something else is set.
OLDEST_TLS = {"modern": "TLSv1.3", "intermediate": "TLSv1.2"}


def render(configuration: Configuration, zone: Zone, settings: Settings, directory: Path) -> str:
    """``directory`` holds the zone's runtime socket and the files of ``words.files``."""
    records = configuration.in_zone(zone.name)
    lines = [*global_section(configuration, zone, settings, directory)]
    for record in records:
        if record.resource.protocol == "udp":
            lines += ["", f"# {name_of(record)} is not simulated: HAProxy has no UDP"]
        elif record.resource.kind == "frontend":
            lines += ["", *frontend_section(record, configuration, zone, settings, directory)]
        elif record.resource.kind == "farm":
            lines += ["", *backend_section(record, configuration, settings, directory)]
    return "\n".join(lines) + "\n"


def global_section(configuration: Configuration, zone: Zone, settings: Settings, directory: Path) -> Iterator[str]:
    service = configuration.records.get(SERVICE_ID)
    wanted = (service and service.values["sslConfiguration"]) or "intermediate"
    yield "global"
    yield f"    stats socket {quote(str(socket_path(directory)))} mode 600 level admin expose-fd listeners"
    yield f"    ssl-default-bind-options ssl-min-ver {OLDEST_TLS[wanted]}"
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
