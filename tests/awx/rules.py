# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX 24 refuses of values, credential types and credentials (awx/api/serializers.py, awx/main/fields.py)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

ENCRYPTED = "$encrypted$"
Record = dict[str, Any]

FIELD_KEYS = {"id", "label", "type", "help_text", "secret", "multiline", "choices", "default", "format"}
STRING_KEYS = ("choices", "multiline", "format", "secret")
VARIABLE = r"[a-zA-Z_]+[a-zA-Z0-9_]*"
# A part of awx.main.constants.ENV_BLOCKLIST.
BLOCKED = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "JOB_ID", "INVENTORY_ID", "CACHE", "AWX_HOST", "PROJECT_REVISION")
KEY = re.compile(
    r"\s*-{4,} *BEGIN (?P<type>[A-Z ]*PRIVATE KEY) *-{4,}\s*(?P<data>.+?)\s*-{4,} *END (?P=type) *-{4,}", re.S
)


class Refused(Exception):
    """Answered with ``status`` and ``body``."""

    def __init__(self, body: Record, status: int = 400) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = status


def expect(condition: Any, field: str, message: str) -> None:
    if not condition:
        raise Refused({field: [message]})


def forbid(condition: Any, message: str) -> None:
    if condition:
        raise Refused({"detail": message}, 403)


def is_a(value: Any, kind: type) -> bool:
    """Like isinstance, but true is no number: JSON tells the two apart."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def clean(name: str, kind: str, value: Any) -> Any:
    """A value as AWX keeps it.

    :raises Refused: for what is none of that kind.
    """
    if kind.endswith("?"):
        return None if value is None else clean(name, kind[:-1], value)
    if kind in ("str", "vars"):
        value = "" if value is None else value
        expect(is_a(value, str) or is_a(value, int) or is_a(value, float), name, "Not a valid string.")
        if kind == "vars":
            variables(name, str(value))
        return str(value)
    if kind == "bool":
        expect(value in (None, "", True, False), name, "Must be a valid boolean.")
        return bool(value)
    if kind == "int" and value is not None:
        expect(is_a(value, int) or (is_a(value, str) and value.isdecimal()), name, "A valid integer is required.")
        return int(value)
    return value


def variables(name: str, text: str) -> Record:
    """:raises Refused: for text that is no dictionary of variables, in JSON or YAML."""
    try:
        read = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as error:
        raise Refused({name: [f"Cannot parse as JSON or YAML: {error}"]}) from error
    expect(isinstance(read, dict), name, f"Input type `{type(read).__name__}` is not a dictionary")
    found: Record = read
    return found


# Credential types


def check_credential_type(values: Record, before: Record | None, in_use: bool) -> None:
    forbid(before is not None and before.get("managed"), "Modifications not allowed for managed credential types")
    expect(values["kind"] in ("cloud", "net"), "kind", f"Must be 'cloud' or 'net', not {values['kind']}")
    check_inputs(values["inputs"])
    check_injectors(values["injectors"], {item["id"] for item in values["inputs"].get("fields", [])})
    changed = before is not None and before["inputs"] != values["inputs"]
    forbid(in_use and changed, "Modifications to inputs are not allowed for credential types that are in use")


def check_inputs(inputs: Any) -> None:
    expect(isinstance(inputs, dict), "inputs", f"{type(inputs).__name__} provided, expected dict")
    expect(set(inputs) <= {"fields", "required"}, "inputs", "Additional properties are not allowed")
    fields = inputs.get("fields", [])
    for item in fields:
        expect({"id", "label"} <= set(item) <= FIELD_KEYS, "inputs", f"Schema validation error ({item})")
        check_input(item)
    names = [item["id"] for item in fields]
    expect(len(names) == len(set(names)), "inputs", "field IDs must be unique")


def check_input(item: Record) -> None:
    item.setdefault("type", "string")
    expect(item["type"] in ("string", "boolean"), "inputs", f"{item['type']!r} is not one of ['string', 'boolean']")
    expect(re.fullmatch(VARIABLE, item["id"]), "inputs", f"{item['id']} is an invalid variable name")
    expect(item["id"] != "tower", "inputs", '"tower" is a reserved field name')
    for key in STRING_KEYS:
        expect(key not in item or item["type"] == "string", "inputs", f"{key} not allowed for boolean type")
    kind = {"string": str, "boolean": bool}[item["type"]]
    expect("default" not in item or isinstance(item["default"], kind), "inputs", f"default is not a {item['type']}")


def check_injectors(injectors: Any, names: set[str]) -> None:
    expect(isinstance(injectors, dict), "injectors", f"{type(injectors).__name__} provided, expected dict")
    expect(set(injectors) <= {"env", "extra_vars", "file"}, "injectors", "Additional properties are not allowed")
    for name, template in injectors.get("env", {}).items():
        expect(re.fullmatch(VARIABLE, name), "injectors", f"'{name}' does not match any of the regexes")
        expect(not name.startswith("ANSIBLE_"), "injectors", f"Environment variable {name} may affect Ansible")
        expect(name not in BLOCKED, "injectors", f"Environment variable {name} is not allowed")
        check_template(template, names)


def check_template(template: str, names: set[str]) -> None:
    example = dict.fromkeys(names, "EXAMPLE")
    try:
        ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(example)
    except TemplateError as error:
        raise Refused({"injectors": [f"{template}: {error}"]}) from error


# Credentials


def secret_inputs(credential_type: Record) -> set[str]:
    return {item["id"] for item in credential_type["inputs"].get("fields", []) if item.get("secret")}


def check_credential(values: Record, credential_type: Record) -> None:
    """Required inputs may be missing: AWX asks for them when a job starts."""
    inputs = values["inputs"]
    expect(isinstance(inputs, dict), "inputs", f"{type(inputs).__name__} provided, expected dict")
    fields = {item["id"]: item for item in credential_type["inputs"].get("fields", [])}
    unknown = sorted(set(inputs) - set(fields))
    expect(not unknown, "inputs", f"Additional properties are not allowed ({unknown} were unexpected)")
    for name, value in inputs.items():
        kind = bool if fields[name].get("type") == "boolean" else str
        if not is_a(value, kind):
            raise Refused({"inputs": {name: [f"{type(value).__name__} provided, expected {kind.__name__}"]}})
        if fields[name].get("format") == "ssh_private_key" and value not in ("", ENCRYPTED) and not is_key(value):
            raise Refused({"inputs": {name: [f"Invalid certificate or key: {value[:100]}..."]}})


def is_key(text: str) -> bool:
    """Whether text is a private key in PEM."""
    found = KEY.match(text)
    if not found:
        return False
    lines = [line for line in found["data"].splitlines() if ":" not in line]
    try:
        return bool(base64.b64decode("".join(lines)))
    except binascii.Error:
        return False
