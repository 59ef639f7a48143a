# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is documented in several modules says the same in each: a fragment can hold neither suboptions nor RETURN."""

from __future__ import annotations

import re
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES, child_of

from simulator.pki import Authority
from unit.plugins.modules.harness import MODULES, Service, Values

WRITERS = ("certificate", "farm", "frontend", "load_balancer", "route", "server", "service", "vrack_network")
ALL_WRITERS_TELL = ("changed", "plan", "service", "refreshed_zones", "foreign_changes", "tasks", "written")


def documented(module: str, name: str) -> Values:
    found: Values = yaml.safe_load(getattr(import_module(f"{MODULES}.{module}"), name))
    return found


def options(module: str) -> Values:
    found: Values = documented(module, "DOCUMENTATION")["options"]
    return found


def told(option: Any, path: str) -> Any:
    """The documentation of an option, with the names of its neighbours as they are outside of a list."""
    text = yaml.safe_dump(option, width=10_000)
    return yaml.safe_load(text.replace(f"({path}", "("))


@pytest.mark.parametrize("module", WRITERS)
def test_what_every_writer_tells_is_told_alike(module: str) -> None:
    own, whole = documented(module, "RETURN"), documented("load_balancer", "RETURN")
    assert {name: own[name] for name in ALL_WRITERS_TELL} == {name: whole[name] for name in ALL_WRITERS_TELL}


@pytest.mark.parametrize("resource", [item for item in RESOURCES if not item.owned], ids=lambda item: item.kind)
def test_an_option_means_the_same_in_its_own_module_and_in_the_whole(resource: Any) -> None:
    own, whole, path = options(resource.kind), options("load_balancer"), ""
    for kind in filter(None, (resource.parent, resource.kind)):
        entry = whole[f"{kind}s"]["suboptions"]
        path += f"{kind}s[]."
        whole = entry
    child = child_of(resource)
    shared = set(own) & set(whole) - ({child.plural} if child and not child.owned else set())
    assert shared >= {field.name for field in resource.fields}
    differing = [name for name in sorted(shared) if told(own[name], "") != told(whole[name], path)]
    assert differing == []


def test_settings_begin_alike_in_their_own_module_and_in_the_whole() -> None:
    """The whole refers to the module service for the rest."""
    own, whole = options("service"), options("load_balancer")["settings"]["suboptions"]
    for name, option in whole.items():
        assert " ".join(own[name]["description"]).startswith(" ".join(option["description"])), name
        assert {**option, "description": own[name]["description"]} == own[name], name


# Examples

AUTHORITY = Authority()
FILES = {"cert.pem": "certificate", "chain.pem": "chain", "privkey.pem": "key"}
FILE = re.compile(r"\{\{ lookup\('ansible\.builtin\.file', '.*/([a-z]+\.pem)'\) \}\}")
WEBMAIL: Values = {"display_name": "webmail", "protocol": "http", "zone": "gra", "port": 8080}
# What the examples take as given.
GIVEN: Values = {
    "farms": [
        {
            "display_name": "smtp",
            "zone": "gra",
            "port": 25,
            "servers": [{"address": "192.0.2.12", "status": "active"}],
        },
        WEBMAIL,
        {**WEBMAIL, "display_name": "attachments"},
    ],
    "frontends": [
        {"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"},
        {**WEBMAIL, "port": "80", "default_farm": "webmail"},
    ],
}
IN_VRACK = {"vrack_network"}
MOVES_ALONE = "Attach a service that has no farms yet to a vRack"  # test_service.py has one without farms


def examples(module: str) -> list[tuple[str, str, Values]]:
    tasks = yaml.safe_load(import_module(f"{MODULES}.{module}").EXAMPLES)
    found = [(str(task["name"]), key, task[key] or {}) for task in tasks for key in task if key.startswith("mailops.")]
    return [(name, key.rpartition(".")[2], values) for name, key, values in found if name != MOVES_ALONE]


def with_files(value: Any, material: Values) -> Any:
    """Options with the certificate and the key that the reader has in files."""
    if not isinstance(value, dict):
        named = FILE.fullmatch(value) if isinstance(value, str) else None
        return material[FILES[named[1]]] if named else value
    values = {name: with_files(item, material) for name, item in value.items()}
    return {**values, "key_file": material["key_file"]} if "key_file" in values else values


def prepare(service: Service, module: str) -> None:
    given = GIVEN
    if module in IN_VRACK:
        service.simulator.reset(vrack="active")
        inside = [{**farm, "vrack_network_id": 301, "servers": []} for farm in GIVEN["farms"]]
        given = {**GIVEN, "farms": inside}
    service.run("load_balancer", **given)


@pytest.mark.parametrize("module", [*WRITERS, "load_balancer_info", "refresh"])
def test_the_examples_run_as_check_mode_foretells(service: Service, tmp_path: Path, module: str) -> None:
    prepare(service, module)
    issued = AUTHORITY.issue("mail.example.com", days=60)
    (tmp_path / "key.pem").write_text(issued.key)
    material = {**asdict(issued), "key_file": str(tmp_path / "key.pem")}
    for name, used, written in examples(module):
        values = with_files(written, material)
        if module in IN_VRACK and values.get("state") == "absent":
            service.run("farm", display_name="smtp", vrack_network_id=301)  # no farm uses it any more
        planned = service.run(used, check=True, **values)
        done = service.run(used, **values)
        assert done["changed"] is planned["changed"], name
        assert [item["key"] for item in done.get("plan", [])] == [item["key"] for item in planned.get("plan", [])], name
        assert not service.run(used, **values)["changed"], f"{name}: the second run"
