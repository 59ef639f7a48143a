# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX 24 refuses, as far as the stand-in cares (awx/api/serializers.py, awx/main/fields.py, awx/api/views)."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

ENCRYPTED = "$encrypted$"
Record = dict[str, Any]

FIELD_KEYS = {"id", "label", "type", "help_text", "secret", "multiline", "choices", "default", "format"}
QUESTION_KEYS = {
    "question_name",
    "question_description",
    "variable",
    "type",
    "choices",
    "default",
    "min",
    "max",
    "required",
}
QUESTION_TYPES: dict[str, type] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}


class Refused(Exception):
    """Answered with status 400 and ``body``."""

    def __init__(self, body: Record) -> None:
        super().__init__(str(body))
        self.body = body


def is_a(value: Any, kind: type) -> bool:
    """Like isinstance, but true is no number: JSON tells the two apart."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def expect(condition: Any, field: str, message: str) -> None:
    if not condition:
        raise Refused({field: [message]})


def check_credential_type(values: Record, before: Record | None, in_use: bool) -> None:
    inputs, injectors = values["inputs"], values.get("injectors") or {}
    expect(set(inputs) <= {"fields", "required"}, "inputs", "Additional properties are not allowed.")
    names = [item.get("id") for item in inputs.get("fields", [])]
    expect(len(names) == len(set(names)), "inputs", "field IDs must be unique.")
    for item in inputs.get("fields", []):
        expect(set(item) <= FIELD_KEYS and {"id", "label", "type"} <= set(item), "inputs", f"{item} is not a field.")
        expect(item["type"] in ("string", "boolean"), "inputs", f"{item['type']} is not a type.")
    expect(set(inputs.get("required", [])) <= set(names), "inputs", "A required field does not exist.")
    expect(set(injectors) <= {"env", "extra_vars", "file"}, "injectors", "Additional properties are not allowed.")
    for template in injectors.get("env", {}).values():
        check_template(template, names)
    changed = before is not None and before["inputs"] != inputs
    expect(not (in_use and changed), "inputs", "Modifications to inputs are not allowed while in use.")


def check_template(template: str, names: list[Any]) -> None:
    try:
        Environment(undefined=StrictUndefined, autoescape=True).from_string(template).render(dict.fromkeys(names, ""))
    except TemplateError as error:
        raise Refused({"injectors": [f"{template}: {error}"]}) from error


def secret_inputs(credential_type: Record) -> set[str]:
    return {item["id"] for item in credential_type["inputs"].get("fields", []) if item.get("secret")}


def check_credential(values: Record, credential_type: Record) -> None:
    known = {item["id"] for item in credential_type["inputs"].get("fields", [])}
    inputs = values["inputs"]
    expect(set(inputs) <= known, "inputs", f"Additional properties are not allowed: {sorted(set(inputs) - known)}")
    expect(all(isinstance(value, str) for value in inputs.values()), "inputs", "Expected text.")
    missing = [name for name in credential_type["inputs"].get("required", []) if not inputs.get(name)]
    expect(not missing, "inputs", f"required for {credential_type['name']}: {missing}")


def check_rrule(value: str) -> None:
    starts = re.findall(r"DTSTART(?:;[^:]+)?:\d{8}T\d{6}Z?", value)
    expect(len(starts) == 1, "rrule", "Exactly one valid DTSTART is required.")
    expect(starts[0].endswith("Z") or "TZID=" in starts[0], "rrule", "DTSTART cannot be a naive datetime.")
    rules = re.findall(r"RRULE:(\S+)", value)
    expect(rules, "rrule", "One or more rule required in rrule.")
    for rule in rules:
        parts = dict(part.split("=", 1) for part in rule.split(";"))
        expect("INTERVAL" in parts, "rrule", "INTERVAL required in rrule.")
        expect(
            parts.get("FREQ") in {"MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"},
            "rrule",
            "FREQ not supported.",
        )
        expect(not {"COUNT", "UNTIL"} <= set(parts), "rrule", "RRULE may not contain both COUNT and UNTIL.")


def check_survey(survey: Record) -> Record:
    """The survey as AWX keeps it. Its errors come as text under ``error``."""

    def demand(condition: Any, message: str) -> None:
        if not condition:
            raise Refused({"error": message})

    demand(set(survey) == {"name", "description", "spec"}, "name, description and spec make a survey.")
    demand(survey["spec"], "'spec' doesn't contain any items.")
    for question in survey["spec"]:
        demand(set(question) <= QUESTION_KEYS, f"unknown keys in {question}")
        demand({"type", "question_name", "variable", "required"} <= set(question), f"keys missing in {question}")
        demand(question["type"] in QUESTION_TYPES, f"{question['type']} is not a type of question")
        demand(is_a(question["required"], bool), "'required' expected to be boolean")
        if "default" in question:
            demand(is_a(question["default"], QUESTION_TYPES[question["type"]]), f"wrong default in {question}")
        if question["type"] in ("multiplechoice", "multiselect"):
            choices = question.get("choices", "").splitlines()
            demand(choices, "must specify choices")
            demand(question.get("default", choices[0]) in choices, "the default is no choice")
    variables = [question["variable"] for question in survey["spec"]]
    demand(len(variables) == len(set(variables)), "'variable' duplicated")
    return survey


def check_extra_data(data: Record, template: Record, survey: Record | None) -> None:
    """Launching with variables takes a template that asks for them, or has them in its survey."""
    if template.get("ask_variables_on_launch"):
        return
    questions = {question["variable"]: question for question in (survey or {}).get("spec", [])}
    expect(
        set(data) <= set(questions), "extra_data", f"Variables {sorted(set(data) - set(questions))} are not allowed."
    )
    for name, value in data.items():
        question = questions[name]
        expect(is_a(value, QUESTION_TYPES[question["type"]]), "extra_data", f"{name}: {value!r} has the wrong type.")
        if question["type"] == "multiplechoice":
            expect(value in question["choices"].splitlines(), "extra_data", f"{name}: {value} is no choice.")
