# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the steps of a workflow in AWX become those that are declared. Private to this collection.

In AWX a step without parents starts at once. So a step whose way to it is about to change is removed first, after all
that follow it, and made anew as a step that starts nothing, until the ways are there. At any moment what is in AWX is a
beginning of the workflow, before or after the change: nothing skips the approval before it.
"""

from __future__ import annotations

import typing as t

Node = t.Mapping[str, t.Any]
Parents = dict[str, set[tuple[str, str]]]

RELATIONS = ("success_nodes", "failure_nodes", "always_nodes")
# What a template may be launched with, null where it is not (LaunchConfigurationBaseSerializer of AWX). We set none.
PROMPTS = (
    "scm_branch",
    "job_type",
    "job_tags",
    "skip_tags",
    "limit",
    "diff_mode",
    "verbosity",
    "forks",
    "job_slice_count",
    "timeout",
    "inventory",
    "execution_environment",
)
# What an approval has when it is not said, and the module that sets one does not take back.
APPROVAL = {"description": "", "timeout": 0}


def mistakes(nodes: t.Sequence[Node], templates: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """What AWX would refuse halfway, with the steps removed already.

    :param templates: the variables that each template may be launched with.
    """
    names = [node["name"] for node in nodes]
    found = [f"step {name} is declared twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for node in nodes:
        found += [f"step {node['name']} {mistake}" for mistake in _mistakes_of(node, set(names), templates)]
    if not found and len(parents_first(names, parents_of(nodes))) < len(names):
        found.append("the steps lead in a circle")
    return found


def _mistakes_of(node: Node, names: set[str], templates: t.Mapping[str, t.Collection[str]]) -> t.Iterator[str]:
    if ("template" in node) == ("approval" in node):
        yield "needs either a template or an approval"
    elif "template" in node and node["template"] not in templates:
        yield f"starts {node['template']}, which is no job template of iplb_awx_job_templates"
    elif "template" in node:
        for name in sorted(set(node.get("extra_data") or ()) - set(templates[node["template"]])):
            yield f"has {name} in extra_data, which the survey of {node['template']} does not ask for"
    children = [child for relation in RELATIONS for child in node.get(relation) or ()]
    for child in sorted(set(children) - names):
        yield f"leads to {child}, which is not declared"
    for child in sorted({child for child in children if children.count(child) > 1}):
        yield f"leads to {child} in two ways"


def parents_of(nodes: t.Iterable[Node]) -> Parents:
    """The parents of each step, and how each leads to it."""
    parents: Parents = {}
    for node in nodes:
        for relation in RELATIONS:
            for child in node.get(relation) or ():
                parents.setdefault(child, set()).add((node["name"], relation))
    return parents


def parents_first(names: t.Iterable[str], parents: Parents) -> list[str]:
    """The steps in an order in which each comes after its parents. Steps in a circle are left out."""
    left = list(names)
    done: list[str] = []
    while True:
        ready = [name for name in left if {parent for parent, _relation in parents.get(name, ())} <= set(done)]
        if not ready:
            return done
        done += ready
        left = [name for name in left if name not in ready]


def as_declared(step: Node, identifiers: t.Mapping[int, str]) -> Node:
    """A step of AWX in the form of a declaration, as far as its ways go."""
    ways = {relation: [identifiers[child] for child in step[relation]] for relation in RELATIONS}
    return {"name": step["identifier"], **ways}


def is_kept(node: Node, step: Node) -> bool:
    """Whether the modules of awx.awx can bring a step of AWX to what is declared: they never empty a field."""
    template = step["summary_fields"].get("unified_job_template") or {}
    is_approval = template.get("unified_job_type") == "workflow_approval"
    if not template or is_approval != ("approval" in node):
        return False
    if step["extra_data"] and not node.get("extra_data"):
        return False
    if step["all_parents_must_converge"] or any(step.get(prompt) not in (None, "") for prompt in PROMPTS):
        return False
    unsaid = APPROVAL.keys() - node["approval"].keys() if is_approval else ()
    return all(template.get(key, APPROVAL[key]) == APPROVAL[key] for key in unsaid)


def change(nodes: t.Sequence[Node], steps: t.Sequence[Node]) -> dict[str, list[str]]:
    """What to do about the steps that AWX has, by name.

    :return: ``remove``, each before its parents; ``make``, what is missing then; ``order``, all after their parents.
    """
    identifiers = {step["id"]: step["identifier"] for step in steps}
    there = {step["identifier"]: step for step in steps}
    present = [as_declared(step, identifiers) for step in steps]
    before, after = parents_of(present), parents_of(nodes)
    declared = {node["name"]: node for node in nodes}
    order = parents_first(declared, after)
    kept: list[str] = []
    for name in order:
        same_ways = before.get(name, set()) == after.get(name, set())
        parents = {parent for parent, _relation in after.get(name, ())}
        if name in there and same_ways and parents <= set(kept) and is_kept(declared[name], there[name]):
            kept.append(name)
    remove = [name for name in reversed(parents_first(there, before)) if name not in kept]
    return {"remove": remove, "make": [name for name in order if name not in kept], "order": order}
