# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's way from written options to an API, as the modules go it."""

from __future__ import annotations

from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_load_balancer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.executor import Executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.planner import make_plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader, Snapshot

from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi

Values = dict[str, Any]


def observe(api: FakeApi, desired: Desired) -> Snapshot:
    return Reader(api, SERVICE).snapshot(desired.scope())


def plan(api: FakeApi, **written: Any) -> Plan:
    """The plan of a task load_balancer with these options."""
    desired = desired_load_balancer(written)
    return make_plan(desired, observe(api, desired))


def carry_out(api: FakeApi, made: Plan) -> Executor:
    executor = Executor(api, Reader(api, SERVICE))
    executor.run(made.operations)
    return executor


def apply(api: FakeApi, **written: Any) -> Plan:
    made = plan(api, **written)
    carry_out(api, made)
    return made


def summary(made: Plan) -> list[tuple[str, str, str]]:
    """Action, kind and key of each operation."""
    return [(operation.action, operation.resource.kind, operation.key) for operation in made.operations]
