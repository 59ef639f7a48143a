# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Surveys of templates and their answers, as AWX 24 takes them (awx/api/views, awx/main/models/mixins.py)."""

from __future__ import annotations

from typing import Any

from awx.rules import Record, Refused, is_a, variables

# int is good for a float too.
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "textarea": (str,),
    "password": (str,),
    "multiplechoice": (str,),
    "multiselect": (str, list),
    "integer": (int,),
    "float": (float, int),
}
KEYS: dict[str, type] = {"type": str, "question_name": str, "variable": str, "required": bool}


def demand(condition: Any, message: str) -> None:
    """Errors of a survey come as text under ``error``."""
    if not condition:
        raise Refused({"error": message})


def is_one(value: Any, kind: str) -> bool:
    return any(is_a(value, item) for item in TYPES[kind])


def choices(question: Record) -> list[str]:
    """A text with a line for each, or a list."""
    given = question.get("choices", [])
    return [line for line in given.splitlines() if line.strip()] if isinstance(given, str) else list(given)


def check_survey(survey: Record) -> Record:
    """The survey as AWX keeps it. Keys that it does not know stay in it."""
    for name, kind in (("name", str), ("description", str), ("spec", list)):
        demand(isinstance(survey.get(name), kind), f"Field '{name}' is missing from survey spec.")
    demand(survey["spec"], "'spec' doesn't contain any items.")
    for question in survey["spec"]:
        check_question(question)
    names = [question["variable"] for question in survey["spec"]]
    demand(len(names) == len(set(names)), "'variable' duplicated in survey question.")
    return survey


def check_question(question: Record) -> None:
    for key, kind in KEYS.items():
        demand(isinstance(question.get(key), kind), f"'{key}' missing from survey question, or no {kind.__name__}.")
    demand(question["type"] in TYPES, f"'{question['type']}' is not one of the allowed question types.")
    default = question.get("default", "")
    demand(default == "" or is_one(default, question["type"]), "Default value expected to be of the type.")
    for key in ("min", "max"):
        demand(isinstance(question.get(key), (int, type(None))), f"The {key} limit expected to be integer.")
    if question["type"] not in ("multiplechoice", "multiselect"):
        return
    demand("choices" in question, "Survey question must specify choices.")
    chosen = default.splitlines() if isinstance(default, str) else default
    demand(question["type"] == "multiselect" or len(chosen) < 2, "Multiple Choice can only have one default value.")
    demand(set(chosen) <= set(choices(question)), "Default choice must be answered from the choices listed.")


def wrong_answer(question: Record, answers: Record, is_required: bool = True) -> str | None:
    """What is wrong with the answer to a question. A default is no answer."""
    name, kind = question["variable"], question["type"]
    if name not in answers:
        return f"'{name}' value missing" if question["required"] and is_required else None
    value = answers[name]
    if kind == "multiselect":
        known = isinstance(value, list) and set(value) <= set(choices(question))
        return None if known else f"Value {value} for '{name}' expected to be some of {choices(question)}."
    if kind == "multiplechoice":
        return None if value in choices(question) else f"Value {value} for '{name}' expected to be one of the choices."
    if not is_one(value, kind):
        return f"Value {value} for '{name}' expected to be of type {kind}."
    size = len(value) if isinstance(value, str) else value
    if question.get("min") is not None and size < question["min"]:
        return f"'{name}' value {value} is too small (must be at least {question['min']})."
    if question.get("max") is not None and size > question["max"]:
        return f"'{name}' value {value} is too large (must be no more than {question['max']})."
    return None


def questions_of(template: Record, survey: Record | None) -> list[Record]:
    """What the template asks; a survey may be there and not be enabled."""
    return (survey or {}).get("spec", []) if template.get("survey_enabled") else []


def check_launch(answers: Record, template: Record, survey: Record | None) -> Record:
    """The variables of a job. Those that the template does not ask for are ignored."""
    questions = questions_of(template, survey)
    errors = [error for question in questions if (error := wrong_answer(question, answers))]
    if errors:
        raise Refused({"variables_needed_to_start": errors})
    defaults = {
        question["variable"]: question["default"]
        for question in questions
        if question.get("default") is not None
        and not wrong_answer(question, {question["variable"]: question["default"]})
    }
    asked = {question["variable"] for question in questions}
    taken = {name: value for name, value in answers.items() if template.get("ask_variables_on_launch") or name in asked}
    return {**variables("extra_vars", template.get("extra_vars") or ""), **defaults, **taken}


def check_prompts(data: Record, template: Record, survey: Record | None) -> None:
    """What a node or a schedule is to launch its template with; an answer may still be missing."""
    questions = questions_of(template, survey)
    errors = [error for question in questions if (error := wrong_answer(question, data, is_required=False))]
    if errors:
        raise Refused({"variables_needed_to_start": errors})
    if template.get("ask_variables_on_launch"):
        return
    own = variables("extra_vars", template.get("extra_vars") or "")
    asked = {question["variable"] for question in questions}
    refused = sorted(name for name in set(data) - asked if own.get(name) != data[name] or name not in own)
    if refused:
        raise Refused({"extra_data": [f"Variables {', '.join(refused)} are not allowed on launch."]})
