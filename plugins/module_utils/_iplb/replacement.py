# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that take the place of others: a renewed certificate, a farm in another zone. Private to the collection.

The new one is made first, whatever led to the old one is led to it, and only when that is live the old one goes. A run
that is cut in between leaves both, and the next one finishes.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import DesiredObject
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.identity import Pair
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.material import Material, read_material
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Operation, Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import with_held
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource, Values

CUSTOM = "custom"  # the type of a certificate that a user uploaded; others are OVHcloud's


@dataclass(frozen=True)
class Replacement:
    """``old`` makes room for what an entry declares; ``stays`` is why it can not go, or empty.

    What leads to ``others`` is led to the new one too, and they stay.
    """

    old: Observed
    stays: str = ""
    others: tuple[Observed, ...] = ()


Found = dict[int, Replacement]  # by the place of the entry


def replacements(
    resource: Resource, pairs: t.Sequence[Pair], existing: t.Sequence[Observed]
) -> tuple[list[Pair], Found]:
    """The pairs with what is to be made anew, and what that replaces.

    :raises InvalidInput: where it can not be told what is to be replaced, or must not be.
    """
    if resource.identity == "fingerprint":
        return list(pairs), _renewals(pairs, existing)
    return _moves(pairs, existing)


# A certificate by new material under the same name


def _renewals(pairs: t.Sequence[Pair], existing: t.Sequence[Observed]) -> Found:
    found: Found = {}
    for place, (wanted, current) in enumerate(pairs):
        if not wanted.present or not wanted.name or not wanted.values.get("certificate"):
            continue
        olds = [item for item in existing if item.name == wanted.name and (current is None or item.id != current.id)]
        if not olds:
            continue
        material = read_material(wanted.values["certificate"], wanted.where)
        newest = max(olds, key=lambda item: (expiry_of(item) is not None, expiry_of(item), item.id))
        _check_later(wanted, material, newest)
        others = tuple(item for item in olds if item is not newest)
        found[place] = Replacement(newest, _why_it_stays(olds, newest, material), others)
    return found


def _check_later(wanted: DesiredObject, material: Material, old: Observed) -> None:
    expiry = expiry_of(old)
    if expiry and material.expires < expiry:
        raise InvalidInput(
            f"{wanted.where}: this certificate expires on {material.expires:%Y-%m-%d}, before the one of that name on "
            f"the load balancer ({old.id}, {expiry:%Y-%m-%d}), and would replace it; give the newer one, or another "
            "display_name"
        )


def _why_it_stays(olds: t.Sequence[Observed], old: Observed, material: Material) -> str:
    """All certificates are offered on every TLS frontend by SNI: only what the new one makes superfluous may go."""
    if len(olds) > 1:
        return f"{len(olds)} older certificates have this name: {', '.join(str(item.id) for item in olds)}"
    if old.facts.get("type") != CUSTOM:
        return f"it is of type {old.facts.get('type')}, not {CUSTOM}"
    names = {str(name).lower() for name in old.facts.get("san") or ()} or _subject_names(old)
    missing = sorted(names - material.names)
    if missing or not names:
        return f"the new one has not its names: {', '.join(missing) or 'which are not known'}"
    expiry = expiry_of(old)
    if expiry is None or expiry > material.expires:
        return "it does not expire earlier"
    return ""


def _subject_names(item: Observed) -> set[str]:
    parts = str(item.facts.get("subject") or "").split("/")
    return {part[3:].lower() for part in parts if part.startswith("CN=")}


def expiry_of(item: Observed) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(item.facts.get("expire_date")).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.astimezone()


# An object whose field can not change


def _moves(pairs: t.Sequence[Pair], existing: t.Sequence[Observed]) -> tuple[list[Pair], Found]:
    named = {item.identity for _wanted, item in pairs if item}
    result: list[Pair] = []
    found: Found = {}
    for place, (wanted, current) in enumerate(pairs):
        old = _old(wanted, current, existing, named) if wanted.replace and wanted.present else None
        if old is None:
            result.append((wanted, current))
            continue
        new = current if current is not old else _already_made(wanted, old, existing)
        result.append((like(wanted, old) if new is None else replace(wanted, id=None), new))
        found[place] = Replacement(old)
    return result, found


def _old(
    wanted: DesiredObject, current: Observed | None, existing: t.Sequence[Observed], named: set[tuple[str, int]]
) -> Observed | None:
    """What is replaced: named by its id, or the only one of its name that no entry means."""
    if current is not None and _moves_to_another(wanted, current.values):
        return current
    if wanted.id is not None:
        return None
    others = [
        item
        for item in existing
        if item.protocol == wanted.protocol
        and item.name == wanted.name
        and item.identity not in named
        and _moves_to_another(wanted, item.values)
    ]
    if len(others) > 1:
        ids = ", ".join(str(item.id) for item in others)
        raise InvalidInput(
            f"{wanted.where}: replace: {len(others)} have this name: ids {ids}; say which with "
            f"{wanted.resource.id_option}"
        )
    return others[0] if others else None


def _moves_to_another(wanted: DesiredObject, current: Values) -> bool:
    fixed = [known.name for known in wanted.resource.fields if known.create_only and known.name in wanted.values]
    return any(wanted.values[name] != current.get(name) for name in fixed)


def _already_made(wanted: DesiredObject, old: Observed, existing: t.Sequence[Observed]) -> Observed | None:
    """The new one, where an earlier run was cut after it had made it."""
    values = {**old.values, **wanted.values}
    fixed = ["display_name", *(known.name for known in wanted.resource.fields if known.create_only)]
    alike = [
        item
        for item in existing
        if item.protocol == old.protocol and all(item.values.get(name) == values.get(name) for name in fixed)
    ]
    return alike[0] if len(alike) == 1 else None


def like(wanted: DesiredObject, old: Observed) -> DesiredObject:
    """The entry with all that the old object has and the entry does not say."""
    written = {reference.field for reference in wanted.resource.references if wanted.writes(reference)}
    kept = {name: value for name, value in old.values.items() if value is not None and name not in written}
    return replace(wanted, values={**kept, **wanted.values}, id=None)


def copy_of(resource: Resource, parent: DesiredObject, child: Observed) -> DesiredObject:
    """An entry that says all that an object is."""
    values = {name: value for name, value in child.values.items() if value is not None}
    return DesiredObject(resource, f"{parent.where}, {resource.kind} {child.id}", child.protocol, values)


def way_back(plan: Plan, kind: str) -> list[Operation]:
    """The updates that lead whatever leads to a successor of this kind to what it was to replace."""
    back = []
    for old, new in plan.successors:
        for end in plan.ends:
            for reference in end.resource.references:
                if new.kind == kind and end.references[reference.field] == new:
                    values = with_held(reference, end.values, old)
                    name = reference.within or reference.field
                    back.append(
                        Operation(
                            "update",
                            end.resource,
                            end.protocol,
                            end.key,
                            end.zones,
                            {reference.option: new.key},
                            {reference.option: str(old.id)},
                            {name: values[name]},
                            id=end.id,
                            parent=end.parent,
                        )
                    )
    return back
