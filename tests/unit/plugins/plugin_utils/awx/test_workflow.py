# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a workflow in AWX is changed without a moment in which something starts that should wait."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._awx import workflow
from hypothesis import given
from hypothesis import strategies as st

Node = dict[str, Any]

TEMPLATES = {"drift": {"drift_action"}, "notify": set(), "converge": {"foreign_changes"}}
DRIFT: Node = {
    "name": "drift",
    "template": "drift",
    "extra_data": {"drift_action": "fail"},
    "failure_nodes": ["notify"],
}
NOTIFY: Node = {"name": "notify", "template": "notify", "success_nodes": ["approval"]}
APPROVAL: Node = {"name": "approval", "approval": {"name": "Correct", "timeout": 60}, "success_nodes": ["converge"]}
CONVERGE: Node = {"name": "converge", "template": "converge"}
NODES = [DRIFT, NOTIFY, APPROVAL, CONVERGE]


def shown(nodes: list[Node], **changes: Any) -> list[Node]:
    """The steps as AWX shows them."""
    ids = {node["name"]: number for number, node in enumerate(nodes, 1)}
    return [
        {
            "id": ids[node["name"]],
            "identifier": node["name"],
            "extra_data": node.get("extra_data", {}),
            "all_parents_must_converge": False,
            **dict.fromkeys(workflow.PROMPTS),
            **{relation: [ids[child] for child in node.get(relation, ())] for relation in workflow.RELATIONS},
            "summary_fields": {"unified_job_template": started_by(node)},
            **(changes.get(node["name"]) or {}),
        }
        for node in nodes
    ]


def started_by(node: Node) -> Node:
    approval = {"unified_job_type": "workflow_approval", "description": "", "timeout": 0}
    return {**approval, **node["approval"]} if "approval" in node else {"unified_job_type": "job"}


def test_a_workflow_as_declared_stays() -> None:
    assert workflow.change(NODES, shown(NODES)) == {
        "remove": [],
        "make": [],
        "order": ["drift", "notify", "approval", "converge"],
    }


def test_a_step_that_is_renamed_takes_those_after_it_along_the_last_one_first() -> None:
    renamed = [DRIFT, {**NOTIFY, "success_nodes": ["ok"]}, {**APPROVAL, "name": "ok"}, CONVERGE]
    done = workflow.change(renamed, shown(NODES))
    assert done["remove"] == ["converge", "approval"]
    assert done["make"] == ["ok", "converge"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("notify", {"extra_data": {"old": 1}}),
        ("converge", {"limit": "mx1"}),
        ("converge", {"job_type": "check"}),
        ("converge", {"inventory": 7}),
        ("converge", {"verbosity": 0}),
        ("converge", {"all_parents_must_converge": True}),
        ("converge", {"summary_fields": {}}),
        ("converge", {"summary_fields": {"unified_job_template": {"unified_job_type": "workflow_approval"}}}),
        ("approval", {"summary_fields": {"unified_job_template": {"unified_job_type": "job"}}}),
        (
            "approval",
            {"summary_fields": {"unified_job_template": {"unified_job_type": "workflow_approval", "description": "x"}}},
        ),
    ],
)
def test_what_a_module_can_not_take_back_is_made_anew(name: str, change: Node) -> None:
    done = workflow.change(NODES, shown(NODES, **{name: change}))
    assert name in done["remove"]
    assert name in done["make"]


def test_what_a_module_can_change_is_left_to_it() -> None:
    other = {"drift": {"extra_data": {"drift_action": "report"}}}
    assert workflow.change(NODES, shown(NODES, **other))["remove"] == []


@pytest.mark.parametrize(
    ("nodes", "mistake"),
    [
        ([{**CONVERGE, "template": "nothing"}], "step converge starts nothing, which is no job template"),
        ([{**NOTIFY, "success_nodes": ["nowhere"]}], "step notify leads to nowhere, which is not declared"),
        ([{"name": "empty"}], "step empty needs either a template or an approval"),
        ([{**APPROVAL, "template": "drift"}, CONVERGE], "step approval needs either a template or an approval"),
        ([CONVERGE, CONVERGE], "step converge is declared twice"),
        ([{**CONVERGE, "success_nodes": ["converge"]}], "the steps lead in a circle"),
        ([{**NOTIFY, "success_nodes": ["converge"], "always_nodes": ["converge"]}, CONVERGE], "in two ways"),
        ([{**CONVERGE, "extra_data": {"other": 1}}], "step converge has other in extra_data"),
    ],
)
def test_what_awx_would_refuse_halfway_is_refused_before(nodes: list[Node], mistake: str) -> None:
    found = workflow.mistakes(nodes, TEMPLATES)
    assert len(found) == 1
    assert mistake in found[0]


def test_the_workflow_of_the_playbook_has_no_mistake() -> None:
    assert workflow.mistakes(NODES, TEMPLATES) == []


# Any change of any workflow, moment by moment, as AWX runs it (awx/main/scheduler/dag_workflow.py)

NAMES = "abcdefg"


@st.composite
def workflows(draw: st.DrawFn) -> list[Node]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)))
    nodes = []
    for number, name in enumerate(names):
        node: Node = {"name": name, **draw(st.sampled_from([{"template": "t"}, {"approval": {"name": "ok"}}]))}
        for child in names[number + 1 :]:
            relation = draw(st.sampled_from([None, None, *workflow.RELATIONS]))
            if relation:
                node.setdefault(relation, []).append(child)
        nodes.append(node)
    return draw(st.permutations(nodes))


def may_start(steps: dict[str, Node]) -> dict[str, set[str]]:
    """What a workflow may start, each with the steps that it passes before in any case: approvals and jobs.

    A step that starts nothing counts as one that failed.
    """
    parents = workflow.parents_of(steps.values())
    found: dict[str, set[str]] = {}
    for name in workflow.parents_first(steps, parents):
        ways = [
            found[parent] | ({parent} if is_whole(steps[parent]) else set())
            for parent, relation in parents.get(name, ())
            if parent in found and (is_whole(steps[parent]) or relation != "success_nodes")
        ]
        if ways or not parents.get(name):
            found[name] = set.intersection(*ways) if ways else set()
    return {name: passed for name, passed in found.items() if is_whole(steps[name])}


def is_whole(node: Node) -> bool:
    return "template" in node or "approval" in node


@given(before=workflows(), after=workflows())
def test_no_moment_of_a_change_starts_a_step_without_those_that_it_waits_for_before_or_after(
    before: list[Node], after: list[Node]
) -> None:
    steps = {node["name"]: node for node in before}
    declared = {node["name"]: node for node in after}
    allowed = [may_start(steps), may_start(declared)]
    plan = workflow.change(after, shown(before))

    def is_safe() -> bool:
        return all(
            any(name in known and known[name] <= passed for known in allowed)
            for name, passed in may_start(steps).items()
        )

    def without(node: Node, gone: str) -> Node:
        ways = {r: [child for child in node.get(r, ()) if child != gone] for r in workflow.RELATIONS}
        return {**node, **ways}

    for name in plan["remove"]:
        steps = {other: without(node, name) for other, node in steps.items() if other != name}
        assert is_safe(), f"{name} removed"
    for name in plan["make"]:
        steps[name] = {"name": name}
        assert is_safe(), f"{name} made"
    for name, node in declared.items():
        ways = {relation: node.get(relation, []) for relation in workflow.RELATIONS}
        steps[name] = {**steps[name], **ways}
        assert is_safe(), f"ways of {name}"
    for name in plan["order"]:
        steps[name] = {**steps[name], **declared[name]}
        assert is_safe(), f"what {name} starts"
    assert may_start(steps) == may_start(declared)
    assert set(steps) == set(declared)
