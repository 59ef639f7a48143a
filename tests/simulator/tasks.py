# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refresh: one task at a time takes the staged configuration of its zones live."""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol

from .configuration import ALL, Configuration, Record
from .errors import ApiError
from .state import Simulator, Task
from .validation import vrack_active


class DeployError(Exception):
    """The balancer of a zone refused a configuration; the previous one still runs."""


class Balancers(Protocol):
    """What makes a configuration live: HAProxy, or nothing at all."""

    async def deploy(self, zone: str, configuration: Configuration) -> None:
        """Raises DeployError."""


class Refresher:
    def __init__(self, sim: Simulator, balancers: Balancers) -> None:
        self.sim = sim
        self.balancers = balancers
        self.ids = itertools.count(1001)
        self.running: set[asyncio.Task[None]] = set()

    def refresh(self, zone: str | None) -> Task:
        """Starts the refresh of one zone, or of every one for ``all`` and None."""
        sim = self.sim
        zones = sim.deployed_in(zone or ALL)
        busy = sim.task_running()
        if busy and sim.switches["second_refresh"] == "conflict":
            raise ApiError(409, "A refresh is already running on this service")
        reason = undeployable(sim.state.staged, vrack_active(sim))
        if reason and sim.switches["undeployable_refresh"] == "refuse":
            raise ApiError(400, reason)
        if not any(sim.state.pending.get(name) for name in zones):
            self._refuse_empty()
        task = Task(next(self.ids), zones, sim.date(), effective=not busy)
        sim.state.tasks[task.id] = task
        if sim.switches["pending_over"] == "started":
            for name in zones:
                sim.state.pending.pop(name, None)
        self._start(task)
        return task

    def _refuse_empty(self) -> None:
        if self.sim.switches["refresh_nothing_pending"] == "refuse":
            raise ApiError(400, "There is nothing to refresh")

    def _start(self, task: Task) -> None:
        job = asyncio.get_running_loop().create_task(self._run(task))
        self.running.add(job)
        job.add_done_callback(self.running.discard)

    async def _run(self, task: Task) -> None:
        """todo, then doing with the configuration of that moment, then the end."""
        sim = self.sim
        half = sim.switches.number("refresh_seconds") * sim.settings.time_scale / 2
        outcome = sim.switches["task_outcome"]
        await asyncio.sleep(half)
        task.status, task.progress = "doing", 50
        staged = sim.state.staged.copy()
        counts = {zone: len(sim.state.pending.get(zone, [])) for zone in task.zones}
        await asyncio.sleep(half)
        if outcome == "blocked_then_done":
            task.status = "blocked"
            await asyncio.sleep(2 * half)
            outcome = "done"
        if outcome == "done":
            outcome = await self._deploy(task, staged, counts)
        self._finish(task, outcome)

    async def _deploy(self, task: Task, staged: Configuration, counts: dict[str, int]) -> str:
        """Returns the status with which the task ends."""
        if not task.effective:
            return "done"
        reason = undeployable(staged, vrack_active(self.sim))
        if reason:
            task.comment = reason
            return "error"
        for zone in task.zones:
            try:
                await self.balancers.deploy(zone, staged)
            except DeployError as error:
                task.comment = str(error)
                return "error"
            self.sim.state.live[zone] = staged.copy()
            del self.sim.state.pending.setdefault(zone, [])[: counts[zone]]
        return "done"

    def _finish(self, task: Task, status: str) -> None:
        task.status = status
        if status == "blocked":
            return
        task.done_date = self.sim.date()
        task.progress = 100 if status == "done" else task.progress
        if self.sim.switches.on("finished_task_vanishes"):
            self.sim.state.tasks.pop(task.id, None)

    async def stop(self) -> None:
        jobs = list(self.running)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


def undeployable(configuration: Configuration, in_vrack: bool) -> str | None:
    """Why it can not be deployed (guide "route an Additional IP"), or None. Disabled frontends count as well."""
    frontends = list(configuration.kind("frontend"))
    if not frontends:
        return "At least one frontend is needed"
    for frontend in frontends:
        if not leads_somewhere(frontend, configuration):
            return f"Frontend {frontend.id} has no default farm, no redirect location and no route with rules"
    for farm in configuration.kind("farm"):
        if bool(farm.values["vrackNetworkId"]) != in_vrack:
            return f"Farm {farm.id} {'has no' if in_vrack else 'has a'} vRack network"
    return None


def leads_somewhere(frontend: Record, configuration: Configuration) -> bool:
    if frontend.values["defaultFarmId"] or frontend.values.get("redirectLocation"):
        return True
    rules = f"{frontend.resource.protocol}/rule"
    return any(configuration.select(rules, route.id) for route in configuration.routes_of(frontend))
