# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an object refers to: by name in a task, by id in the API, by key in a plan. Pure. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import DesiredObject, protocol_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import End, Ref
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import BY_KIND
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import (
    ALL_ZONES,
    Field,
    Reference,
    Resource,
    Values,
)

Ends = t.Sequence[End]


def held(reference: Reference, values: Values) -> t.Any:
    """The id (or Ref) that the field of a reference holds, or None."""
    holder = values.get(reference.within) if reference.within else values
    if not holder or (reference.when and holder.get("type") != reference.when):
        return None
    return holder.get(reference.field)


def with_held(reference: Reference, values: Values, value: t.Any) -> Values:
    """The values with another id (or Ref) in the field of a reference."""
    if not reference.within:
        return {**values, reference.field: value}
    return {**values, reference.within: {**(values.get(reference.within) or {}), reference.field: value}}


def refs_of(resource: Resource, protocol: str, values: Values, ends: Ends) -> dict[str, Ref | None]:
    """What an object refers to, by field."""
    return {
        reference.field: _ref(reference, protocol, held(reference, values), ends) for reference in resource.references
    }


def _ref(reference: Reference, protocol: str, value: t.Any, ends: Ends) -> Ref | None:
    if isinstance(value, Ref) or value in (None, ""):
        return value or None
    return by_id(reference, protocol, value, ends) or _unknown(reference, protocol, value)


def by_id(reference: Reference, protocol: str, identifier: t.Any, ends: Ends) -> Ref | None:
    wanted = (reference.kind, protocol_of(reference, protocol), str(identifier))
    return next((end.ref for end in ends if (end.ref.kind, end.ref.protocol, str(end.ref.id)) == wanted), None)


def _unknown(reference: Reference, protocol: str, identifier: t.Any) -> Ref:
    """An object that the task did not need to read."""
    protocol = protocol_of(reference, protocol)
    number = int(identifier) if str(identifier).isdigit() else None
    return Ref(reference.kind, protocol, f"{protocol}/{identifier}" if protocol else str(identifier), number)


def resolve(wanted: DesiredObject, zone: str | None, ends: Ends) -> Values:
    """The written values, with a Ref for every object that is named or whose id is given.

    :param zone: the zone in which the object will be, if it has one.
    :raises InvalidInput: for a name or an id that means no object, or several.
    """
    values = wanted.values
    for reference in wanted.resource.references:
        _check_when(wanted, reference)
        if not wanted.writes(reference):
            continue
        if reference.option in wanted.names:
            name = wanted.names[reference.option]
            ref = None if name is None else _by_name(wanted, reference, name, zone, ends)
            values = with_held(reference, values, ref)
        elif held(reference, values) not in (None, ""):
            values = with_held(reference, values, _checked_id(wanted, reference, held(reference, values), ends))
    return values


def _check_when(wanted: DesiredObject, reference: Reference) -> None:
    holder = wanted.values.get(reference.within) or {}
    if reference.when and reference.option in wanted.names and holder.get("type") != reference.when:
        raise InvalidInput(
            f"{wanted.where}: {reference.name_option} goes with {reference.within}.type: {reference.when} only; leave "
            "it out"
        )
    named = wanted.names.get(reference.option) or holder.get(reference.field)
    if reference.when and holder.get("type") == reference.when and not named:
        raise InvalidInput(
            f"{wanted.where}: {reference.name_option} is missing beside {reference.within}.type: {reference.when}; "
            f"name the {reference.kind}, or give {reference.id_option} its id"
        )


def _checked_id(wanted: DesiredObject, reference: Reference, identifier: t.Any, ends: Ends) -> Ref:
    known = by_id(reference, wanted.protocol, identifier, ends)
    if known is None:
        what = " ".join(word for word in (protocol_of(reference, wanted.protocol), reference.kind) if word)
        raise InvalidInput(f"{wanted.where}: {reference.id_option} {identifier} is not a {what} of this service")
    return known


def _by_name(wanted: DesiredObject, reference: Reference, name: str, zone: str | None, ends: Ends) -> Ref:
    """The object of that name, in the protocol of the one that refers to it, and in its zone or in all."""
    kind, protocol = reference.kind, protocol_of(reference, wanted.protocol)
    named = [end for end in ends if end.ref.kind == kind and end.values.get("display_name") == name]
    alike = [end for end in named if end.protocol == protocol]
    found = [end for end in alike if not reference.zoned or end.values["zone"] in (zone, ALL_ZONES)]
    # Of two of a name the one is meant that the task itself declares: a certificate and the one that it replaces.
    declared = [end for end in found if end.named] if "zone" not in _field_names(kind) else []
    if len(found) == 1 or len(declared) == 1:
        return (declared or found)[0].ref
    what = f'{wanted.where}: {reference.name_option} "{name}"'
    if found:
        ids = ", ".join(_with_zone(end) for end in found)
        remedy = f"say which with {reference.id_option}" if all(end.id for end in found) else "give each its own name"
        raise InvalidInput(f"{what} is the name of {len(found)} {kind}s: {ids}; {remedy}")
    if alike:
        zones = ", ".join(sorted({end.values["zone"] for end in alike}))
        raise InvalidInput(
            f"{what} is in zone {zones}, the {wanted.resource.kind} in {zone}; a {kind} must be in the same zone or "
            "in all"
        )
    if named:
        protocols = ", ".join(sorted({end.protocol for end in named}))
        raise InvalidInput(
            f"{what} has protocol {protocols}, the {wanted.resource.kind} {wanted.protocol}; they must be the same"
        )
    raise InvalidInput(_not_found(wanted, reference, what, protocol))


def check_zones(end: End, written: t.Collection[str], ends: Ends) -> None:
    """:raises InvalidInput: where writing these fields would leave an object with one that its zone does not reach."""
    for reference in end.resource.references:
        if not reference.zoned or not {"zone", reference.within or reference.field} & set(written):
            continue
        target = next((other for other in ends if other.ref == end.references[reference.field]), None)
        if target and target.values["zone"] not in (end.values["zone"], ALL_ZONES):
            kind, other, zone = end.resource.kind, target.resource.kind, end.values["zone"]
            move = f", or move both in one task of load_balancer, the {other} with replace: true"
            raise InvalidInput(
                f"{kind} {end.key} would be in zone {zone}, and its {reference.name_option} {target.key} is in zone "
                f"{target.values['zone']}; a {other} must be in the same zone or in all: give {reference.name_option} "
                f"such a {other}" + (move if target.resource.replaceable else "")
            )


def _not_found(wanted: DesiredObject, reference: Reference, what: str, protocol: str) -> str:
    plural = BY_KIND[reference.kind].plural
    if not protocol:
        return (
            f"{what} is not the name of a {reference.kind}; create it first, list it in {plural}, or correct the name"
        )
    return (
        f"{what} is not the name of a {protocol} {reference.kind}, and that of a {wanted.resource.kind} has its "
        f"protocol; create the {reference.kind} first, list it in {plural}, or correct the name or the protocol"
    )


def _with_zone(end: End) -> str:
    return f"{end.id or 'new'}" + (f" (zone {end.values['zone']})" if "zone" in end.values else "")


def _field_names(kind: str) -> set[str]:
    return {field.name for field in BY_KIND[kind].fields}


def plain(field: Field, value: t.Any) -> t.Any:
    """A value as the API has it, with ids in place of Refs; that of an object which is yet to be created is None."""
    if isinstance(value, Ref):
        return str(value.id) if value.id is not None and field.type == "str" else value.id
    if isinstance(value, dict):
        parts = {part.name: part for part in field.fields}
        return {name: plain(parts[name], item) if name in parts else item for name, item in value.items()}
    return value


def is_new(value: t.Any) -> bool:
    """Whether a value refers to an object that is yet to be created."""
    if isinstance(value, dict):
        return any(map(is_new, value.values()))
    return isinstance(value, Ref) and value.id is None


def shown_change(resource: Resource, before: Values, after: Values) -> tuple[Values, Values]:
    """Both values of what changes, for people. Objects of one name are told apart by their ids."""
    told, tells = shown(resource, before), shown(resource, after)
    if any(told.get(name) == value for name, value in tells.items()):
        return shown(resource, before, with_ids=True), shown(resource, after, with_ids=True)
    return told, tells


def shown(resource: Resource, values: Values, with_ids: bool = False) -> Values:
    """Values for people: secrets hidden, Refs as keys under the option that names them."""
    options = {reference.field: reference.option for reference in resource.references}
    result: Values = {}
    for name, value in values.items():
        if isinstance(value, dict):
            value = _shown_parts(value, options, with_ids)
        if isinstance(value, Ref):
            result[options[name]] = _label(value, with_ids)
        elif name in options:
            result[options[name] if value is None else name] = value
        else:
            result[name] = "(hidden)" if value and resource.field(name).write_only else value
    return result


def _shown_parts(parts: Values, options: dict[str, str], with_ids: bool) -> Values:
    return {
        (options[name] if isinstance(value, Ref) else name): (
            _label(value, with_ids) if isinstance(value, Ref) else value
        )
        for name, value in parts.items()
    }


def _label(ref: Ref, with_id: bool) -> str:
    return f"{ref.key} ({ref.id or 'new'})" if with_id else ref.key
