# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service says it can do: probes of farms, actions and rules of routes.

Bodies of routes and rules are checked against what these answers say, and nothing else: PUT /_simulator/catalogues puts
others in their place, as a newer API might.
"""

from __future__ import annotations

from typing import Any

from .schema import PROBE_MATCHES
from .state import Simulator

Entry = dict[str, Any]

REJECT_STATUSES = (200, 400, 403, 405, 408, 429, 500, 502, 503, 504)
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
LIST_MATCHES = ("is", "in")
TEXT_MATCHES = ("is", "in", "contains", "startswith", "endswith", "matches")
SUB_FIELD_MATCHES = (*TEXT_MATCHES, "exists")
PROTOCOLS = ("tcp", "tls", "http", "https")


def farm_probes() -> list[Entry]:
    return [
        {
            "matches": list(matches),
            "method": ["GET", "HEAD", "OPTIONS"] if kind == "http" else None,
            "negatableMatches": [match for match in matches if match != "default"],
            "port": kind != "oco",
            "type": kind,
            "url": kind == "http",
        }
        for kind, matches in PROBE_MATCHES.items()
    ]


def route_actions(sim: Simulator) -> list[Entry]:
    return sim.state.catalogues.get("routeActions") or [
        _action("farm", "tcp", "farm"),
        _action("reject", "tcp"),
        _action("farm", "http", "farm"),
        _action("reject", "http", None, REJECT_STATUSES),
        _action("redirect", "http", "url", REDIRECT_STATUSES),
    ]


def route_rules(sim: Simulator) -> list[Entry]:
    """tcp knows the name that a TLS client asks for as ``host`` (guides), ``sni`` (Terraform's provider), or both."""
    names = {"host": ("host",), "sni": ("sni",), "both": ("host", "sni")}[sim.switches["tcp_name_field"]]
    return sim.state.catalogues.get("routeRules") or [
        _rule("protocol", "tcp", LIST_MATCHES, "enum", enum=(*PROTOCOLS, "http/2.0")),
        _rule("source", "tcp", LIST_MATCHES, "cidr"),
        *(_rule(name, "tcp", TEXT_MATCHES) for name in names),
        _rule("protocol", "http", LIST_MATCHES, "enum", enum=PROTOCOLS),
        _rule("source", "http", LIST_MATCHES, "cidr"),
        _rule("host", "http", TEXT_MATCHES),
        _rule("method", "http", LIST_MATCHES),
        _rule("uri", "http", TEXT_MATCHES),
        *(_rule(name, "http", SUB_FIELD_MATCHES, sub_field=True) for name in ("param", "header", "cookie")),
    ]


def _action(name: str, protocol: str, destination: str | None = None, statuses: tuple[int, ...] = ()) -> Entry:
    return {"destination": destination, "name": name, "status": list(statuses) or None, "type": protocol}


def _rule(
    name: str,
    protocol: str,
    matches: tuple[str, ...],
    pattern: str = "string",
    *,
    sub_field: bool = False,
    enum: tuple[str, ...] = (),
) -> Entry:
    return {
        "enum": list(enum) or None,
        "hasSubField": sub_field,
        "matches": list(matches),
        "name": name,
        "pattern": pattern,
        "type": protocol,
    }
