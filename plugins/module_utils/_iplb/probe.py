# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe of a farm: which fields it has, and how what is written becomes the whole probe. Private to the collection.

Sources: OVHcloud's published schema of ``/ipLoadbalancing`` and the guide "Configure probes".
"""

from __future__ import annotations

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import checks
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Field, Values

PROBE_FIELDS = (
    Field("type", "type", choices=("http", "mysql", "oco", "pgsql", "smtp", "tcp")),
    Field("port", "port", "int", check=checks.check_port),
    Field("interval", "interval", "int", default=30, check=checks.check_interval),
    Field("match", "match", choices=("contains", "default", "matches", "status"), default="default"),
    Field("negate", "negate", "bool", default=False),
    Field("pattern", "pattern", default=""),
    Field("url", "url", default="/"),
    # The schema says GET, the guide OPTIONS.
    Field("method", "method", choices=("GET", "HEAD", "OPTIONS"), unsure_defaults=("GET", "OPTIONS")),
    Field("force_ssl", "forceSsl", "bool", default=False),
)
# Which fields a probe type takes beside type and interval, and which matches (guide "Configure probes").
PROBE_TYPE_FIELDS: dict[str, frozenset[str]] = {
    "tcp": frozenset({"port", "match", "negate", "pattern"}),
    "http": frozenset({"port", "match", "negate", "pattern", "url", "method", "force_ssl"}),
    "smtp": frozenset({"port", "match", "negate", "force_ssl"}),
    "mysql": frozenset({"port", "match", "negate", "force_ssl"}),
    "pgsql": frozenset({"port", "match", "negate", "force_ssl"}),
    "oco": frozenset({"match", "negate"}),
}
PROBE_TYPE_MATCHES: dict[str, tuple[str, ...]] = {
    "tcp": ("default", "contains", "matches"),
    "http": ("default", "contains", "matches", "status"),
}


def merge_probe(wanted: Values | None, current: Values | None, where: str) -> Values | None:
    """The whole probe to send: what is wanted over what is there.

    When the type changes, only port and interval are carried over: the rest means something else to another type.
    ``negate`` goes only with ``match``, because the API refuses it alone.

    :raises InvalidInput: for an unknown type, a field that the type does not take, or ``negate`` without ``match``.
    """
    if wanted is None:
        return None
    current = current or {}
    probe_type: str = wanted.get("type", current.get("type")) or "tcp"
    if probe_type not in PROBE_TYPE_FIELDS:
        raise InvalidInput(
            f"{where}.type is {probe_type} at the API, which is newer than this collection; give {where}.type, one of "
            f"{', '.join(sorted(PROBE_TYPE_FIELDS))}, or leave the probe out to keep it"
        )
    same_type = current.get("type") == probe_type
    kept: Values = current if same_type else {name: current[name] for name in ("port", "interval") if name in current}
    merged: Values = {**kept, **wanted, "type": probe_type}
    _check_probe(probe_type, wanted, merged, where)
    allowed = PROBE_TYPE_FIELDS[probe_type] | {"type", "interval"}
    return {
        name: value
        for name, value in merged.items()
        if name in allowed and not (name == "negate" and merged.get("match") is None)
    }


def _check_probe(probe_type: str, wanted: Values, merged: Values, where: str) -> None:
    allowed = PROBE_TYPE_FIELDS[probe_type] | {"type", "interval"}
    for field in PROBE_FIELDS:
        # The API may answer with the default of a field that the type does not take, and answers can be written back.
        harmless = (None, field.default, *field.unsure_defaults)
        if field.name not in allowed and wanted.get(field.name) not in harmless:
            raise InvalidInput(f"{where}.{field.name} does not exist for a probe of type {probe_type}; leave it out")
    match = merged.get("match")
    matches = PROBE_TYPE_MATCHES.get(probe_type, ("default",))
    if match is not None and match not in matches:
        raise InvalidInput(f"{where}.match: a probe of type {probe_type} takes {', '.join(matches)}, not {match}")
    if merged.get("negate") and match is None:
        raise InvalidInput(f"{where}.negate needs {where}.match: the API refuses to negate without a match")
