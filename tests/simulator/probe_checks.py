# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe of a farm: which fields go together."""

from __future__ import annotations

from typing import Any

from .errors import ApiError, bad_field
from .field_types import Values, check, known_keys, wrong_type
from .schema import PROBE_FIELDS, PROBE_MATCHES, Field, Resource
from .state import Simulator


def probe(entry: Field, value: Any, resource: Resource | None, sim: Simulator) -> Values | None:
    """Every field of the probe, or None for ``{}``, with which OVHcloud's own web client removes a probe."""
    if not isinstance(value, dict):
        raise wrong_type(entry, value)
    by_name = {field.name: field for field in PROBE_FIELDS}
    body = {name: item for name, item in known_keys(value, by_name, sim).items() if item is not None}
    if not body:
        return None
    complete = dict.fromkeys(by_name) | {name: check(by_name[name], item, resource, sim) for name, item in body.items()}
    check_probe(complete)
    if sim.switches["probe_defaults"] == "filled":
        _fill_probe(complete, sim)
    return complete


def check_probe(probe: Values) -> None:
    kind = probe["type"] or "tcp"
    match = probe["match"]
    if probe["negate"] is not None and match is None:
        raise ApiError(400, "A probe can not negate without a match")
    if match and match not in PROBE_MATCHES[kind]:
        raise bad_field("probe.match", "enum", f"{match} does not go with probes of type {kind}")
    if kind != "http" and (probe["method"] or probe["url"]):
        raise bad_field("probe", "probe", f"method and url do not go with probes of type {kind}")
    if kind == "oco" and probe["port"] is not None:
        raise bad_field("probe.port", "long", "probes of type oco always use port 79")
    if match in ("contains", "matches", "status") and not probe["pattern"]:
        raise bad_field("probe.pattern", "string", f"match {match} needs a pattern")


def _fill_probe(probe: Values, sim: Simulator) -> None:
    defaults: Values = {"type": "tcp", "interval": 30, "forceSsl": False, "match": "default", "negate": False}
    if probe["type"] == "http":
        defaults |= {"method": sim.switches["http_probe_method"], "url": "/"}
    for name, default in defaults.items():
        if probe[name] is None:
            probe[name] = default
