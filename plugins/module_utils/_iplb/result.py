# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run tells: its writes, how they differ from what was there, and the objects of the task. Private to the
collection.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.executor import Executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import End, Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import held, plain, with_held
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FARM, FRONTEND, RESOURCES, child_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values

# Kinds whose list stands in every result.
ALWAYS_TOLD = (FARM, FRONTEND)


def reports(plan: Plan) -> list[Values]:
    """The writes of a plan, in their order."""
    operations = [operation.report() for operation in plan.operations]
    if not plan.aside:
        return operations
    own = [plan.aside.report()]
    return operations + own if plan.aside.leaves_vrack else own + operations


def diff(plan: Plan, pending: dict[str, int]) -> list[Values]:
    """Ansible's diff: one entry an object, with the fields that change."""
    entries = [
        {
            "before_header": f"{report['kind']} {report['key']}" + (f" ({report['id']})" if report["id"] else ""),
            "after_header": f"{report['kind']} {report['key']}",
            "before": report["before"],
            "after": report["after"],
        }
        for report in reports(plan)
    ]
    if pending:
        entries.append(
            {
                "before_header": "changes waiting for a refresh",
                "after_header": "changes waiting for a refresh",
                "before": pending,
                "after": {},
            }
        )
    return entries


def objects(plan: Plan, executor: Executor) -> Values:
    """The objects that the task names, with their children, as they are now: a list for each kind."""
    return {
        resource.plural: [_object(end, plan, executor) for end in plan.of(resource)]
        for resource in RESOURCES
        if not resource.parent and (plan.of(resource) or resource in ALWAYS_TOLD)
    }


def _object(end: End, plan: Plan, executor: Executor) -> Values:
    values = end.values
    for reference in end.resource.references:
        ref = end.references[reference.field]
        if ref and held(reference, values) is None:
            values = with_held(reference, values, replace(ref, id=executor.id_of(ref)))
    told: Values = {end.resource.id_option: executor.id_of(end.ref)}
    if end.protocol and not end.parent:
        told["protocol"] = end.protocol
    fields = {name: end.resource.field(name) for name in values}
    told.update({name: plain(field, values[name]) for name, field in fields.items() if not field.write_only})
    child = child_of(end.resource)
    if child:
        told[child.plural] = [_object(item, plan, executor) for item in plan.children(child, end.ref)]
    return told
