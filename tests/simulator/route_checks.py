# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes and rules against the service's own catalogues: what is named there is accepted, the rest is refused."""

from __future__ import annotations

import ipaddress
from typing import Any

from .catalogue import Entry, route_actions, route_rules
from .errors import bad_field
from .field_types import Values, check, check_farm, known_keys, wrong_type
from .schema import Field, Resource
from .state import Simulator


def action(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> Values:
    assert resource is not None
    fields = {"type": Field("action.type", "string"), "target": Field("action.target", "string", max_length=255)}
    if resource.protocol == "http":
        fields["status"] = Field("action.status", "long")
    if not isinstance(value, dict):
        raise wrong_type(entry, value)
    body = known_keys(value, fields, sim)
    complete = dict.fromkeys(fields) | {name: check(fields[name], item, resource, sim) for name, item in body.items()}
    _check_action(complete, resource.protocol, sim)
    return complete


def _check_action(values: Values, protocol: str, sim: Simulator) -> None:
    kind, target, status = values["type"], values["target"], values.get("status")
    known = _named(route_actions(sim), kind, protocol)
    if known is None:
        raise bad_field("action.type", "enum", f"Given data ({kind}) is not an action of {protocol} routes")
    if known["destination"] == "farm":
        if not (target or "").isdigit():
            raise bad_field("action.target", "string", "has to be the id of a farm, as a string")
        check_farm("action.target", int(target), protocol, sim)
    if known["destination"] and not target:
        raise bad_field("action.target", "string", "Missing required parameter")
    if not known["destination"] and target:
        raise bad_field("action.target", "string", f"does not go with action {kind}")
    if status is not None and status not in (known["status"] or ()):
        raise bad_field("action.status", "long", f"Given data ({status}) does not go with action {kind}")


def check_rule(protocol: str, values: Values, sim: Simulator) -> None:
    known = _named(route_rules(sim), values["field"], protocol)
    if known is None:
        raise bad_field("field", "string", f"Given data ({values['field']}) is not a field of {protocol} rules")
    if values["match"] not in known["matches"]:
        raise bad_field("match", "enum", f"{values['match']} does not go with field {values['field']}")
    if known["hasSubField"] != bool(values["subField"]):
        wanted = "Missing required parameter" if known["hasSubField"] else f"does not go with field {values['field']}"
        raise bad_field("subField", "string", wanted)
    if values["match"] == "exists":
        return
    if not values["pattern"]:
        raise bad_field("pattern", "string", "Missing required parameter")
    _check_pattern(known, values)


def _check_pattern(known: Entry, values: Values) -> None:
    """``in`` takes a list separated by commas; sources are such a list for ``is`` too."""
    is_list = values["match"] == "in" or known["pattern"] == "cidr"
    for part in values["pattern"].split(",") if is_list else [values["pattern"]]:
        if known["pattern"] == "cidr":
            _check_source(part.strip())
        if known["enum"] and part.strip() not in known["enum"]:
            raise bad_field("pattern", "enum", f"Given data ({part}) does not belong to {', '.join(known['enum'])}")


def _check_source(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise bad_field("pattern", "string", f"{text} is not an address or a block") from error


def _named(entries: list[Entry], name: str, protocol: str) -> Entry | None:
    return next((entry for entry in entries if (entry["name"], entry["type"]) == (name, protocol)), None)
