# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every service and every task, from written options to the stored configuration."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Plan
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from unit.plugins.module_utils.iplb.api_model import MODELS, PROBE, ApiField
from unit.plugins.module_utils.iplb.engine import apply, plan
from unit.plugins.module_utils.iplb.fake_api import Key
from unit.plugins.module_utils.iplb.tasks import Task, Want, option_name, respelled, services, tasks

Values = dict[str, Any]
Objects = dict[Key, Values]

# Drawing a service and a task for it takes many small draws, and nothing here waits for anything.
SLOW_DRAWS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(st.data())
@SLOW_DRAWS
def test_a_task_reaches_what_it_says_and_touches_nothing_else(data: st.DataObject) -> None:
    api = data.draw(services())
    task = data.draw(tasks(api))
    before = copy.deepcopy(api.objects)
    made = apply(api, **task.written())
    _note(made)
    check_reached(task, before, api.objects)


@given(st.data())
@SLOW_DRAWS
def test_the_second_run_has_nothing_to_do_whatever_the_spelling(data: st.DataObject) -> None:
    api = data.draw(services())
    task = data.draw(tasks(api))
    apply(api, **task.written())
    again = plan(api, **data.draw(respelled(task)))
    assert [operation.report() for operation in again.operations] == []


@given(st.data())
@SLOW_DRAWS
def test_the_plan_tells_every_change_as_it_happens(data: st.DataObject) -> None:
    """Check mode and diff show this plan, so its fields must be the ones that change, and no others."""
    api = data.draw(services())
    task = data.draw(tasks(api))
    before = copy.deepcopy(api.objects)
    made = apply(api, **task.written())
    updates = [item for item in made.operations if item.action == "update"]
    updated = {(item.resource.kind, item.protocol, item.id or 0): item for item in updates}
    for key, old in before.items():
        changed = {option_name(name) for name, value in api.objects.get(key, old).items() if value != old.get(name)}
        told = set(updated[key].after) if key in updated else set()
        assert changed <= {f"{name}_id" for name in told} | told
    for item in updates:
        assert item.before.keys() == item.after.keys()
        assert item.before != item.after


def _note(made: Plan) -> None:
    for operation in made.operations:
        event(f"{operation.action} {operation.resource.kind}")
    event(f"{min(len(made.operations), 8)} operations")


# What a task means, told without the collection's own tables


def check_reached(task: Task, before: Objects, after: Objects) -> None:
    named = {
        (want.kind, want.protocol, want.id)
        for farm in (*task.farms, *task.frontends)
        for want in (farm, *(farm.servers or ()))
    }
    gone = _expected_to_go(task, before)
    created = set(after) - set(before)
    assert set(before) - set(after) == gone
    for key in set(before) - gone - named:
        assert after[key] == before[key], "an object that the task does not name was touched"
    for want in task.farms:
        if want.present:
            farm_id = _check_want(want, before, after, created)
            for server in want.servers or ():
                if server.present:
                    _check_want(server, before, after, created, farm_id)
    for want in task.frontends:
        if want.present:
            _check_want(want, before, after, created)
    assert created == set(), "objects were created that the task does not name"


def _expected_to_go(task: Task, before: Objects) -> set[Key]:
    gone: set[Key] = set()
    listed = {(want.kind, want.protocol, want.id) for want in (*task.farms, *task.frontends)}
    for want in (*task.farms, *task.frontends):
        if want.id and not want.present:
            gone.add((want.kind, want.protocol, want.id))
        gone |= {
            ("server", want.protocol, server.id) for server in want.servers or () if server.id and not server.present
        }
        if want.servers is not None and "servers" in task.purge and want.protocol in task.purge_protocols:
            kept = {server.id for server in want.servers}
            gone |= {
                key
                for key, body in before.items()
                if key[:2] == ("server", want.protocol) and body["backendId"] == want.id and key[2] not in kept
            }
    for key in before:
        if f"{key[0]}s" in task.purge and key[0] != "server" and key[1] in task.purge_protocols and key not in listed:
            gone.add(key)
    farms = {(protocol, identifier) for kind, protocol, identifier in gone if kind == "farm"}
    return gone | {key for key, body in before.items() if key[0] == "server" and (key[1], body["backendId"]) in farms}


def _check_want(want: Want, before: Objects, after: Objects, created: set[Key], farm_id: int | None = None) -> int:
    """The object is as the task has it, and where the task says nothing as it was; its id."""
    key = (want.kind, want.protocol, want.id) if want.id else _find_created(want, after, created, farm_id)
    created.discard(key)
    old, new = before.get(key, {}), after[key]
    farm = after.get(("farm", want.protocol, new["backendId"]), {}) if want.kind == "server" else {}
    for name, known in MODELS[want.kind, want.protocol].items():
        option = option_name(name)
        if name == "probe" and want.kind == "farm":
            _check_probe(want, old.get(name), new.get(name))
        elif name == "defaultFarmId" and "default_farm" in want.written:
            _check_default_farm(want, new, after)
        elif name == "port" and want.kind == "server":
            wanted = want.written.get("port", old.get("port")) or farm.get("port")
            assert (new.get("port") or farm.get("port")) == wanted or "port" not in want.written
        elif option in want.written:
            assert _meaning(known, name, new.get(name)) == _meaning(known, name, want.written[option]), name
        elif known.access != "ro":
            assert new.get(name) == old.get(name), f"{name} was touched"
    return key[2]


def _find_created(want: Want, after: Objects, created: set[Key], farm_id: int | None) -> Key:
    found = [
        key
        for key in created
        if key[:2] == (want.kind, want.protocol)
        and (farm_id is None or after[key]["backendId"] == farm_id)
        and after[key].get("address") == want.written.get("address")
        and (want.kind == "server" or after[key].get("displayName") == want.written["display_name"])
    ]
    assert len(found) == 1
    return found[0]


def _check_default_farm(want: Want, frontend: Values, after: Objects) -> None:
    name = want.written["default_farm"]
    if name is None:
        assert frontend.get("defaultFarmId") is None
        return
    farm = after["farm", want.protocol, frontend["defaultFarmId"]]
    assert farm["displayName"] == name
    assert farm["zone"] in (frontend["zone"], "all")


def _check_probe(want: Want, old: Values | None, new: Values | None) -> None:
    if "probe" not in want.written:
        assert new == old, "the probe was touched"
        return
    wanted = want.written["probe"]
    if wanted is None:
        assert not new
        return
    old, new = old or {}, new or {}
    kind = wanted.get("type", old.get("type"))
    assert new["type"] == kind
    for name, known in PROBE.items():
        option = option_name(name)
        if option in wanted:
            expected = wanted[option]
        elif old.get("type") == kind:
            expected = old.get(name)
        else:
            continue
        if name == "method" and None in (expected, new.get(name)):
            # Null may mean GET or OPTIONS, so either is as good as null.
            assert {expected, new.get(name)} <= {None, "GET", "OPTIONS"}
            continue
        assert _meaning(known, name, new.get(name)) == _meaning(known, name, expected), f"probe.{name}"


def _meaning(known: ApiField, name: str, value: Any) -> Any:
    value = known.default if value is None else value
    if known.type == "ipBlock[]":
        return {ipaddress.ip_network(item) for item in value}
    if known.type.endswith("[]"):
        return set(value)
    return value.strip().lower() if name == "zone" else value
