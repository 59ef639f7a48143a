# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes: every rule is an access control list, and a route acts where all of its rules match.

Rules and actions that a newer catalogue may name, but this module does not know, leave a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..configuration import Configuration, Record
from ..state import Settings
from .words import quote

# How long a client may take to say which name or protocol it wants.
INSPECT = "5s"
MATCHES = {"is": "str", "in": "str", "contains": "sub", "startswith": "beg", "endswith": "end", "matches": "reg"}
HTTP_FETCHES = {
    "host": "req.hdr(host),field(1,:)",
    "method": "method",
    "uri": "path",
    "param": "url_param({})",
    "header": "req.hdr({})",
    "cookie": "req.cook({})",
}
WITHOUT_CASE = ("host", "sni")


def http_routes(
    frontend: Record, configuration: Configuration, farms: dict[int, str], settings: Settings
) -> Iterator[str]:
    """The first farm route that matches is remembered in txn.route."""
    chosen = []
    for route, conditions in with_conditions(frontend, configuration):
        if conditions is None:
            yield f"    # route {route.id} is not simulated"
            continue
        yield from acls(conditions)
        test = " ".join(name for name, dummy in conditions)
        action = route.values["action"]
        if action["type"] == "reject":
            yield f"    http-request deny deny_status {action['status'] or 403} if {test}"
        elif action["type"] == "redirect":
            location = quote(location_format(action["target"], settings))
            yield f"    http-request redirect location {location} code {action['status'] or 302} if {test}"
        elif action["type"] == "farm" and int(action["target"]) in farms:
            yield f"    http-request set-var(txn.route) int({route.id}) if !{{ var(txn.route) -m found }} {test}"
            chosen.append((farms[int(action["target"])], route.id))
    for farm, id_ in chosen:
        yield f"    use_backend {farm} if {{ var(txn.route) -m int {id_} }}"


def tcp_routes(frontend: Record, configuration: Configuration, farms: dict[int, str]) -> Iterator[str]:
    chosen = []
    routes = list(with_conditions(frontend, configuration))
    needs_content = any(
        "req." in acl for dummy, conditions in routes for dummy2, found in conditions or () for acl in found
    )
    if needs_content:
        yield f"    tcp-request inspect-delay {INSPECT}"
    for route, conditions in routes:
        if conditions is None:
            yield f"    # route {route.id} is not simulated"
            continue
        yield from acls(conditions)
        test = " ".join(name for name, dummy in conditions)
        action = route.values["action"]
        if action["type"] == "reject":
            yield f"    tcp-request content reject if {test}"
        elif action["type"] == "farm" and int(action["target"]) in farms:
            chosen.append(f"    use_backend {farms[int(action['target'])]} if {test}")
    if needs_content:
        yield "    tcp-request content accept if { req.ssl_hello_type 1 } or { req.proto_http }"
    yield from chosen


Condition = tuple[str, list[str]]  # name of the list, negated or not; what it holds, one of which has to match


def with_conditions(frontend: Record, configuration: Configuration) -> Iterator[tuple[Record, list[Condition] | None]]:
    """Routes that have rules, in their order; None where a rule or the action is not known here."""
    for route in configuration.routes_of(frontend):
        rules = configuration.select(f"{route.resource.protocol}/rule", route.id)
        if not rules:
            continue
        found = [condition(rule, frontend) for rule in rules]
        known = route.values["action"]["type"] in ("farm", "reject", "redirect")
        yield route, [one for one in found if one] if known and all(found) else None


def acls(conditions: list[Condition]) -> Iterator[str]:
    for name, found in conditions:
        for line in found:
            yield f"    acl {name.lstrip('!')} {line}"


def condition(rule: Record, frontend: Record) -> Condition | None:
    values = rule.values
    found = acl_lines(values, frontend)
    name = f"rule-{rule.id}"
    return (f"!{name}" if values["negate"] else name, found) if found else None


def acl_lines(values: dict[str, Any], frontend: Record) -> list[str]:
    """Nothing for what is not simulated."""
    name, terminated = values["field"], frontend.values["ssl"]
    if name == "source":
        return [f"src {' '.join(part.strip() for part in values['pattern'].split(','))}"]
    if name == "protocol":
        asked = [part.strip() for part in values["pattern"].split(",")]
        found = [protocol_acl(part, frontend.resource.protocol, terminated) for part in asked]
        return [line for line in found if line] if all(found) else []
    if frontend.resource.protocol == "tcp" and name in ("host", "sni"):
        fetch: str | None = "ssl_fc_sni" if terminated else "req.ssl_sni"
    else:
        fetch = HTTP_FETCHES.get(name) if frontend.resource.protocol == "http" else None
    if fetch is None:
        return []
    return [matched(fetch.format(values["subField"]), values)]


def protocol_acl(protocol: str, of_frontend: str, terminated: bool) -> str | None:
    if protocol == "tcp":
        return "always_true"
    if protocol in ("tls", "https"):
        return "ssl_fc" if terminated or of_frontend == "http" else "req.ssl_hello_type 1"
    if protocol == "http":
        return "ssl_fc,not" if of_frontend == "http" else "req.proto_http"
    return None


def matched(fetch: str, values: dict[str, Any]) -> str:
    if values["match"] == "exists":
        return f"{quote(fetch)} -m found"
    patterns = values["pattern"].split(",") if values["match"] == "in" else [values["pattern"]]
    case = "-i " if values["field"] in WITHOUT_CASE else ""
    words = " ".join(quote(pattern.strip()) for pattern in patterns)
    # "--" ends the flags: a pattern may begin with a dash.
    return f"{quote(fetch)} {case}-m {MATCHES[values['match']]} -- {words}"


def location_format(template: str, settings: Settings) -> str:
    """The variables of a redirect's target as HAProxy knows them; percent signs are text.

    Terraform's provider documents ``https://${host}${path}${arguments}``: arguments begin with their question mark.
    """
    known = {
        "protocol": "%[ssl_fc,iif(https,http)]",
        "domain": "%[req.hdr(host),field(1,:)]",
        "host": "%[req.hdr(host)]",
        "port": f"%[dst_port,sub({settings.port_offset})]",
        "path": "%[path]",
        "arguments": "%[pathq,regsub(^[^?]*,)]",
        "uri": "%[pathq]",
    }
    escaped = template.replace("%", "%%")
    return re.sub(r"\$\{(\w+)\}", lambda match: known.get(match[1], match[0]), escaped)
