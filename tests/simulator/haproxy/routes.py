# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes: every rule is an access control list, and a route acts where all of its rules match.

Rules and actions that a newer catalogue may name, but this module does not know, leave a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Condition:
    """A rule: one of ``lines`` has to match, or none of them if ``negated``."""

    name: str
    lines: list[str]
    negated: bool


@dataclass(frozen=True)
class Step:
    """A route that has rules. ``conditions`` is None where its action or a rule is not known here."""

    route: Record
    conditions: list[Condition] | None

    @property
    def action(self) -> dict[str, Any]:
        action: dict[str, Any] = self.route.values["action"]
        return action

    @property
    def acls(self) -> list[str]:
        if self.conditions is None:
            return [f"    # route {self.route.id} is not simulated"]
        return [f"    acl {one.name} {line}" for one in self.conditions for line in one.lines]

    @property
    def test(self) -> str:
        return " ".join(f"!{one.name}" if one.negated else one.name for one in self.conditions or [])

    def farm(self, farms: dict[int, str]) -> str | None:
        """The backend it leads to; None for other actions, and for farms outside the zone."""
        return farms.get(int(self.action["target"])) if self.action["type"] == "farm" else None


def steps(frontend: Record, configuration: Configuration) -> list[Step]:
    """In the order of evaluation."""
    found = []
    for route in configuration.routes_of(frontend):
        rules = configuration.select(f"{route.resource.protocol}/rule", route.id)
        if rules:
            found.append(Step(route, conditions(route, rules, frontend)))
    return found


def conditions(route: Record, rules: list[Record], frontend: Record) -> list[Condition] | None:
    found = [
        Condition(f"rule-{rule.id}", acl_lines(rule.values, frontend), bool(rule.values["negate"])) for rule in rules
    ]
    known = route.values["action"]["type"] in ("farm", "reject", "redirect") and all(one.lines for one in found)
    return found if known else None


def http_routes(
    frontend: Record, configuration: Configuration, farms: dict[int, str], settings: Settings
) -> Iterator[str]:
    """The first farm route that matches is remembered in txn.route."""
    chosen = []
    for step in steps(frontend, configuration):
        yield from step.acls
        if step.conditions is None:
            continue
        action, farm = step.action, step.farm(farms)
        if action["type"] == "reject":
            yield f"    http-request deny deny_status {action['status'] or 403} if {step.test}"
        elif action["type"] == "redirect":
            location = quote(location_format(action["target"], settings))
            yield f"    http-request redirect location {location} code {action['status'] or 302} if {step.test}"
        elif farm:
            id_ = step.route.id
            yield f"    http-request set-var(txn.route) int({id_}) if !{{ var(txn.route) -m found }} {step.test}"
            chosen.append(f"    use_backend {farm} if {{ var(txn.route) -m int {id_} }}")
    yield from chosen


def tcp_routes(frontend: Record, configuration: Configuration, farms: dict[int, str]) -> Iterator[str]:
    """Where a rule looks at what the client says, HAProxy waits for it."""
    chosen = []
    found = steps(frontend, configuration)
    waits = any("req." in line for step in found for line in step.acls)
    if waits:
        yield f"    tcp-request inspect-delay {INSPECT}"
    for step in found:
        yield from step.acls
        if step.conditions is None:
            continue
        farm = step.farm(farms)
        if step.action["type"] == "reject":
            yield f"    tcp-request content reject if {step.test}"
        elif farm:
            chosen.append(f"    use_backend {farm} if {step.test}")
    if waits:
        yield "    tcp-request content accept if { req.ssl_hello_type 1 } or { req.proto_http }"
    yield from chosen


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
