# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's variables as the values that its argument specification means. Private to the collection.

Ansible checks a role's variables with such a conversion and then hands the role what was written: -e NAME=VALUE is a
text for ever. Here the converted value is what the role gets.
"""

from __future__ import annotations

import functools
import pathlib
import typing as t

import yaml
from ansible.module_utils.common.validation import check_type_bool, check_type_dict, check_type_int

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"

Spec = t.Mapping[str, t.Any]

# Read by the roles' defaults and by the playbooks, so that no argument specification has them.
SHARED: dict[str, Spec] = {"allow_cutover": {"type": "bool"}, "maintenance_tasks": {"type": "str"}}

WRITTEN = {"bool": "true", "int": "30", "list": '["one", "two"]', "dict": '{"key": "value"}'}
MEANT = {"bool": "true or false", "int": "a whole number", "list": "a list", "dict": "a dictionary", "str": "a text"}
NULLS = ("null", "~")


class OptionError(Exception):
    """A variable that is not what is meant. The text names it, and shows nothing of a value that may be a secret."""


@functools.cache
def specification(role: str) -> dict[str, Spec]:
    """The options of all entry points of a role of this collection, by variable."""
    entries = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    return {name: spec for entry in entries.values() for name, spec in entry.get("options", {}).items()}


def read(role: str, variables: t.Container[str], value_of: t.Callable[[str], t.Any]) -> dict[str, t.Any]:
    """The role's variables that are set, converted, by their names without the role's."""
    return {
        name[len(role) + 1 :]: convert(name, spec, value_of(name))
        for name, spec in specification(role).items()
        if name in variables
    }


def check_shared(variables: t.Container[str], value_of: t.Callable[[str], t.Any]) -> None:
    for name, spec in SHARED.items():
        if name in variables:
            convert(name, spec, value_of(name))


def convert(name: str, spec: Spec, value: t.Any) -> t.Any:
    """The value in the type of the specification.

    :raises OptionError: when it can not be that.
    """
    if value is None:
        return _null(name, spec)
    if isinstance(value, str) and value.strip().lower() in NULLS:
        said = f"{name} is the text {value.strip()!r}, because -e NAME=VALUE always gives a text"
        raise OptionError(f"{said}. {_null_advice(name, spec)}")
    return _value(name, spec, value)


def _value(name: str, spec: Spec, value: t.Any) -> t.Any:
    kind = spec["type"]
    if kind == "raw":
        return value
    converted = _CONVERSIONS[kind](name, value)
    if kind == "list":
        converted = [_element(f"{name}[{index}]", spec, item) for index, item in enumerate(converted)]
    _require_choice(name, spec, converted)
    return converted


def _element(name: str, spec: Spec, item: t.Any) -> t.Any:
    """An item of a list. Where it is a dictionary with options of its own, these too; a null stays what it is."""
    converted = _CONVERSIONS[spec.get("elements", "raw")](name, item)
    options: t.Mapping[str, Spec] = spec.get("options", {})
    if not options:
        return converted
    said = {key: value for key, value in converted.items() if key in options and value is not None}
    return {**converted, **{key: _value(f"{name}.{key}", options[key], value) for key, value in said.items()}}


def takes_null(spec: Spec) -> bool:
    """Where null has a meaning: a raw option says so itself, and one without a default is as if it were not set."""
    return spec["type"] == "raw" or "default" not in spec


def _null(name: str, spec: Spec) -> t.Any:
    if takes_null(spec):
        return None
    # What a key with nothing after it says, where nothing is the default.
    if spec["default"] in ("", [], {}):
        return spec["default"]
    raise OptionError(f"{name} is null. {_null_advice(name, spec)}")


def _null_advice(name: str, spec: Spec) -> str:
    if takes_null(spec):
        return f"""Write -e '{{"{name}": null}}' for null."""
    return f"It can not be null: leave it out for {spec['default']!r}, or give {MEANT[spec['type']]}."


def _require_choice(name: str, spec: Spec, value: t.Any) -> None:
    choices = spec.get("choices")
    for item in value if isinstance(value, list) else [value]:
        if choices and item not in choices:
            raise OptionError(f"{name} is {item!r}, and must be one of {', '.join(map(str, choices))}")


def _refuse(name: str, kind: str, value: t.Any) -> t.NoReturn:
    example = f""", such as -e '{{"{name}": {WRITTEN[kind]}}}'""" if kind in WRITTEN and "[" not in name else ""
    # A list or a dictionary may hold a secret, a number or a boolean is none.
    said = repr(str(value)) if kind in ("bool", "int") and isinstance(value, (str, int, float)) else _describe(value)
    raise OptionError(f"{name} must be {MEANT[kind]}, and is {said}. Write it as YAML or JSON{example}")


def _describe(value: t.Any) -> str:
    if isinstance(value, str):
        return "a text that says something else" if value.strip() else "an empty text"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, t.Mapping):
        return "a dictionary"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "null" if value is None else "a number"


def _from_yaml(text: str) -> t.Any:
    """What a text means as YAML, of which JSON is a part."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _dict(name: str, value: t.Any) -> dict[str, t.Any]:
    if isinstance(value, str):
        value = _dict_of_text(value)
    if not isinstance(value, t.Mapping):
        _refuse(name, "dict", value)
    return dict(value)


def _dict_of_text(text: str) -> t.Any:
    meant = _from_yaml(text)
    if isinstance(meant, t.Mapping):
        return meant
    try:
        return check_type_dict(text)
    except (TypeError, ValueError):
        return text


def _list(name: str, value: t.Any) -> list[t.Any]:
    if isinstance(value, str):
        meant = _from_yaml(value)
        if isinstance(meant, t.Mapping) or value.lstrip().startswith(("[", "{")):
            value = meant
        elif not isinstance(meant, list):
            return [item.strip() for item in value.split(",") if item.strip()]
        else:
            value = meant
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [str(value)]
    if not isinstance(value, (list, tuple)):
        _refuse(name, "list", value)
    return list(value)


def _bool(name: str, value: t.Any) -> bool:
    try:
        return bool(check_type_bool(value))
    except TypeError:
        _refuse(name, "bool", value)


def _int(name: str, value: t.Any) -> int:
    try:
        if isinstance(value, bool):
            _refuse(name, "int", value)
        return int(check_type_int(value))
    except TypeError:
        _refuse(name, "int", value)


def _str(name: str, value: t.Any) -> str:
    if value is None or isinstance(value, (t.Mapping, list, tuple)):
        _refuse(name, "str", value)
    return str(value)


_CONVERSIONS: dict[str, t.Callable[[str, t.Any], t.Any]] = {
    "bool": _bool,
    "dict": _dict,
    "int": _int,
    "list": _list,
    "raw": lambda _name, value: value,
    "str": _str,
}
