# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the rules of this collection that no other tool knows. Prints one line per finding; exit status 1 if any.

- Every Python file and script states the licence.
- A role's defaults/main.yml and meta/argument_specs.yml agree on the defaults.
- A role reads its variables in their types, from ROLE__options: -e name=VALUE is a text.
- The action group "all" holds exactly the modules that take the options of the API.
- Tasks that speak to the API run on the controller, with the Python of Ansible, whatever an inventory says of either.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.checkout import ROOT, files

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
API_FRAGMENT = "mailops.ovh_iplb.connection"
# Variables, as only they overrule those of an inventory.
ON_CONTROLLER = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def check_licences() -> Iterator[str]:
    for path in files():
        text = (ROOT / path).read_bytes() if path.suffix in {"", ".py"} else b""
        is_code = path.suffix == ".py" or text.startswith(b"#!")
        if is_code and LICENCE.encode() not in text[:400]:
            yield f"{path}: state the licence at the top: {LICENCE}"


def check_role(role: str) -> Iterator[str]:
    """Compare the defaults of a role with those its argument specification documents.

    A template need not be documented as the default: its description says what it stands for.
    """
    defaults: dict[str, Any] = load(f"roles/{role}/defaults/main.yml") or {}
    specification = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    options = {name: option for entry in specification.values() for name, option in entry.get("options", {}).items()}
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    for name in sorted(documented.keys() - defaults.keys()):
        yield f"roles/{role}: meta/argument_specs.yml documents a default of {name}, defaults/main.yml sets none"
    for name, value in defaults.items():
        is_template = isinstance(value, str) and "{{" in value
        if name not in options:
            yield f"roles/{role}: defaults/main.yml sets {name}, meta/argument_specs.yml does not document it"
        elif name not in documented and not is_template:
            yield f"roles/{role}: {name} is {value!r} in defaults/main.yml, documented without a default"
        elif name in documented and value != documented[name]:
            yield f"roles/{role}: {name} is {value!r} in defaults/main.yml, documented as {documented[name]!r}"


def check_reads(role: str) -> Iterator[str]:
    """Look in templates and conditions. A result of a role is no variable that is given to it."""
    specification = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    names = {name for entry in specification.values() for name in entry.get("options", {})}
    for path in files():
        if path.parts[:2] != ("roles", role) or path.parts[2] not in ("tasks", "vars"):
            continue
        text = (ROOT / path).read_text()
        # A dictionary in a template may end in }} too.
        templates = re.findall(r"\{\{.*?[^}\s]\s*\}\}(?!\s*[|}])", text, re.DOTALL)
        conditions = re.findall(r"^ *(?:- )?(?:when|that|until): *(?!>)(.*)", text, re.MULTILINE)
        for name in sorted(names):
            if any(re.search(rf"(?<![\w'.]){name}\b", expression) for expression in [*templates, *conditions]):
                yield f"{path}: read {role}__options.{name.removeprefix(role + '_')} instead of {name}"


def check_roles() -> Iterator[str]:
    for role in sorted({path.parts[1] for path in files() if path.parts[0] == "roles"}):
        yield from check_role(role)
        yield from check_reads(role)


def fragments(module: Path) -> list[str]:
    """Return the documentation fragments of a module."""
    for node in ast.parse((ROOT / module).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
            extends = yaml.safe_load(ast.literal_eval(node.value)).get("extends_documentation_fragment", [])
            return [extends] if isinstance(extends, str) else extends
    return []


def check_action_group() -> Iterator[str]:
    grouped = set(load("meta/runtime.yml")["action_groups"]["all"])
    modules = [path for path in files() if path.match("plugins/modules/*.py")]
    api_modules = {path.stem for path in modules if API_FRAGMENT in fragments(path)}
    for name in sorted(grouped ^ api_modules):
        verb = "remove" if name in grouped else "add"
        yield f"meta/runtime.yml: {verb} {name}; the action group holds what extends the fragment {API_FRAGMENT}"


def own_tasks(entries: Any, inherited: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each task of plays, blocks and lists of tasks, with the variables set for it there."""
    for entry in entries if isinstance(entries, list) else []:
        variables = {**inherited, **(entry.get("vars") or {})}
        yield entry, variables
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from own_tasks(entry.get(part), variables)


def check_controller_tasks() -> Iterator[str]:
    names = {f"mailops.ovh_iplb.{name}" for name in load("meta/runtime.yml")["action_groups"]["all"]}
    plays = [path for path in files() if path.suffix == ".yml" and path.parts[0] in ("roles", "playbooks", "examples")]
    for path in plays:
        text = (ROOT / path).read_text()
        if not any(f"{name}:\n" in text for name in names):
            continue
        for task, variables in own_tasks(load(str(path)), {}):
            is_safe = ON_CONTROLLER.items() <= variables.items()
            if names & task.keys() and not is_safe:
                yield f"{path}: {task['name']}: set vars: {ON_CONTROLLER}"


def main() -> int:
    findings = [*check_licences(), *check_roles(), *check_action_group(), *check_controller_tasks()]
    print("\n".join(findings))
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
