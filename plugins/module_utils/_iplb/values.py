# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of objects: as users write them, as the API takes and answers them, and whether two mean the same. Private to
the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.checks import lies_inside
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Field, Resource, Values

NO_PROBE: Values = {}  # what OVHcloud's web client sends to take a probe away; read back as null or {}


def normalise(resource: Resource, protocol: str, written: Values, where: str) -> Values:
    """What the user wrote, in canonical form; null stays None, what was not written stays out.

    :param written: options of one object by field name, only those that stand in the task.
    :param where: the object as the user knows it, for messages.
    :raises InvalidInput: for a value the API would refuse.
    """
    values = normalise_fields(resource.fields_for(protocol), protocol, written, where)
    check_together(resource, values, where)
    return values


def normalise_fields(fields: t.Iterable[Field], protocol: str, written: Values, where: str) -> Values:
    known = {field.name: field for field in fields}
    result: Values = {}
    for name, value in written.items():
        if name not in known:
            raise InvalidInput(f"{where}: {name} does not exist{f' for {protocol}' if protocol else ''}; leave it out")
        result[name] = _normalise_value(known[name], protocol, value, f"{where}: {name}")
    return result


def _normalise_value(field: Field, protocol: str, value: t.Any, where: str) -> t.Any:
    if value is None:
        if protocol in field.required:
            raise InvalidInput(f"{where} can not be null; give a value, or leave it out to keep what is there")
        return None
    if field.type == "int" and isinstance(value, bool):
        # To Python and so to Ansible, true is the number 1; the API refuses it.
        raise InvalidInput(f"{where}: {str(value).lower()} is not a number; write it in digits")
    if field.choices and value not in field.choices_for(protocol):
        raise InvalidInput(f'{where}: "{value}" is not one of {", ".join(field.choices_for(protocol))}')
    if field.fields:
        return _normalise_parts(field, protocol, value, where)
    return field.check(value, where) if field.check else value


def _normalise_parts(field: Field, protocol: str, written: Values, where: str) -> Values:
    parts: Values = {}
    for part in field.fields:
        if not field.merge and protocol in part.required and part.name not in written:
            raise InvalidInput(f"{where}.{part.name} is missing; {field.name} is given whole")
        if part.name in written:
            if protocol not in part.protocols and written[part.name] is not None:
                raise InvalidInput(f"{where}.{part.name} does not exist for {protocol}; leave it out")
            parts[part.name] = _normalise_value(part, protocol, written[part.name], f"{where}.{part.name}")
    return parts


def check_together(resource: Resource, values: Values, where: str) -> None:
    """:raises InvalidInput: for two lists of which the API takes one, or a network outside the one it is a part of."""
    part, whole = resource.inside or ("", "")
    if values.get(part) and values.get(whole) and not lies_inside(values[part], values[whole]):
        raise InvalidInput(
            f"{where}: {part} {values[part]} is not inside {whole} {values[whole]}; give a part of that network"
        )
    one, other = resource.exclusive or ("", "")
    if values.get(one) and values.get(other):
        raise InvalidInput(f"{where}: {one} and {other} exclude each other; set the one you do not want to []")


def same(field: Field, wanted: t.Any, current: t.Any) -> bool:
    """Whether a wanted value is what the API already has: null is the default, lists are sets."""
    if field.fields:
        return _same_parts(field, wanted, current)
    if _canonical(field, wanted) == _canonical(field, current):
        return True
    return wanted is None and current in field.unsure_defaults


def _same_parts(field: Field, wanted: Values | None, current: Values | None) -> bool:
    if not wanted or not current:
        return not wanted and not current
    return all(same(part, wanted.get(part.name), current.get(part.name)) for part in field.fields)


def _canonical(field: Field, value: t.Any) -> t.Any:
    value = field.default if value is None else value
    return frozenset(map(str, value)) if field.is_set and isinstance(value, list) else value


def from_api(resource: Resource, protocol: str, answer: Values) -> Values:
    """An answer of the API as values by field name, in canonical form. What it never tells is left out."""
    return {
        field.name: _value_from_api(field, answer.get(field.api))
        for field in resource.fields_for(protocol)
        if not field.write_only
    }


def facts_from_api(resource: Resource, answer: Values) -> Values:
    facts = {fact: answer.get(fact.api) for fact in resource.facts}
    return {fact.name: [] if fact.is_list and not isinstance(value, list) else value for fact, value in facts.items()}


def _value_from_api(field: Field, value: t.Any) -> t.Any:
    if value is None:
        return None if field.nullable else field.default
    if field.fields:
        if not isinstance(value, dict):
            return None
        # A probe without type is how the API may say "no probe".
        parts = {part.name: value.get(part.api) for part in field.fields}
        return parts if parts["type"] else None
    value = _of_type(field, value)
    try:
        return field.check(value, field.name) if field.check else value
    except (InvalidInput, TypeError, ValueError, AttributeError):
        return value  # a newer API may answer what could not be written


def _of_type(field: Field, value: t.Any) -> t.Any:
    """What a newer API may answer in another form, as text: it can be shown and compared, and is not what is wanted."""
    if field.type == "list":
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]
    if isinstance(value, (list, dict)) or (field.type == "str" and not isinstance(value, str)):
        return str(value)
    return value


def to_api(resource: Resource, values: Values) -> Values:
    """A request body. Null resets; a field that can not be null gets its default."""
    return {field.api: _value_to_api(field, values[field.name]) for field in resource.fields if field.name in values}


def _value_to_api(field: Field, value: t.Any) -> t.Any:
    if field.fields:
        written: Values = value or NO_PROBE
        return {part.api: written[part.name] for part in field.fields if part.name in written}
    if value is None and (not field.nullable or field.is_set):
        # [] clears a list as surely as null does, and is what other clients send.
        return field.default
    return value
