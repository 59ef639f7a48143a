# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks: todo, doing, and an end. One refresh at a time takes the staged configuration of its zones live."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from .configuration import ALL, Configuration
from .deployable import undeployable
from .errors import ApiError
from .state import REFRESH, Simulator, Task


class DeployError(Exception):
    """The balancer of a zone refused a configuration; the previous one still runs."""


class Balancers(Protocol):
    """What makes a configuration live: HAProxy, or nothing at all."""

    async def deploy(self, zone: str, configuration: Configuration) -> None:
        """Raises DeployError."""


class Runner:
    """Runs tasks and lets them end as switch ``task_outcome`` says."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.ids = itertools.count(1001)
        self.running: set[asyncio.Task[None]] = set()

    def create(self, action: str, zones: list[str]) -> Task:
        task = Task(next(self.ids), action, zones, self.sim.date())
        self.sim.state.tasks[task.id] = task
        return task

    def start(
        self, action: str, work: Callable[[], Awaitable[None]], failed: Callable[[], None] = lambda: None
    ) -> Task:
        """``work`` is done if the task ends well; ``failed`` is called if it ends in another way, once it ends."""
        task = self.create(action, [])
        wanted = self.sim.switches["task_outcome"]

        async def run() -> None:
            half = self.half("task_seconds")
            await asyncio.sleep(half)
            self.doing(task)
            await asyncio.sleep(half)
            outcome = await self.outcome(task, wanted, half)
            if outcome == "done":
                await work()
            elif outcome != "blocked":
                failed()
            self.finish(task, outcome)

        self.launch(run())
        return task

    def half(self, switch: str) -> float:
        """Half of a task's duration, in seconds."""
        return self.sim.switches.number(switch) * self.sim.settings.time_scale / 2

    def doing(self, task: Task) -> None:
        task.status, task.progress = "doing", 50

    async def outcome(self, task: Task, outcome: str, pause: float) -> str:
        """What ``task_outcome`` said when the task started comes to."""
        if outcome != "blocked_then_done":
            return outcome
        task.status = "blocked"
        await asyncio.sleep(2 * pause)
        return "done"

    def launch(self, coroutine: Coroutine[Any, Any, None]) -> None:
        job = asyncio.get_running_loop().create_task(coroutine)
        self.running.add(job)
        job.add_done_callback(self.running.discard)

    def finish(self, task: Task, status: str) -> None:
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


class Refresher:
    def __init__(self, sim: Simulator, runner: Runner, balancers: Balancers) -> None:
        self.sim = sim
        self.runner = runner
        self.balancers = balancers

    def refresh(self, zone: str | None) -> Task:
        """Starts the refresh of one zone, or of every one for ``all`` and None."""
        sim = self.sim
        zones = sim.deployed_in(zone or ALL)
        busy = sim.refresh_running()
        if busy and sim.switches["second_refresh"] == "conflict":
            raise ApiError(409, "A refresh is already running on this service")
        reason = undeployable(sim.state.staged, sim.in_vrack)
        if reason and sim.switches["undeployable_refresh"] == "refuse":
            raise ApiError(400, reason)
        if not any(sim.state.pending.get(name) for name in zones):
            self._refuse_empty()
        task = self.runner.create(REFRESH, zones)
        task.effective = not busy
        if sim.switches["pending_over"] == "started":
            for name in zones:
                sim.state.pending.pop(name, None)
        self.runner.launch(self._run(task, sim.switches["task_outcome"]))
        return task

    def _refuse_empty(self) -> None:
        if self.sim.switches["refresh_nothing_pending"] == "refuse":
            raise ApiError(400, "There is nothing to refresh")

    async def _run(self, task: Task, outcome: str) -> None:
        """todo, then doing with the configuration of that moment, then the end."""
        sim = self.sim
        half = self.runner.half("refresh_seconds")
        await asyncio.sleep(half)
        self.runner.doing(task)
        staged = sim.state.staged.copy()
        counts = {zone: len(sim.state.pending.get(zone, [])) for zone in task.zones}
        await asyncio.sleep(half)
        outcome = await self.runner.outcome(task, outcome, half)
        if outcome == "done":
            outcome = await self._deploy(task, staged, counts)
        self.runner.finish(task, outcome)

    async def _deploy(self, task: Task, staged: Configuration, counts: dict[str, int]) -> str:
        """Returns the status with which the task ends."""
        if not task.effective:
            return "done"
        reason = undeployable(staged, self.sim.in_vrack)
        if reason:
            task.comment = reason
            return "error"
        for zone in task.zones:
            try:
                await self.balancers.deploy(zone, staged)
            except DeployError as error:
                task.comment = str(error)
                return "error"
            self.sim.state.live[zone] = staged
            del self.sim.state.pending.setdefault(zone, [])[: counts[zone]]
        return "done"
