# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is documented in several modules says the same in each: a fragment can hold neither suboptions nor RETURN."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES, child_of

from unit.plugins.modules.harness import MODULES, Values

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
