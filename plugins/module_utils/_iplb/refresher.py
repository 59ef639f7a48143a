# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a written configuration live, and waits for proof. Private to the collection.

Nothing is live before a refresh, only one refresh can run at a time, and a second one "would not make any changes"
(OVHcloud guide on routing an Additional IP); so every refresh waits its turn, its task is followed to a verdict, and
the waiting changes are counted again afterwards.
"""

from __future__ import annotations

import time
import typing as t
from datetime import datetime

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import (
    ApiError,
    LostAnswer,
    NotHealthy,
    RefreshFailed,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import TASK_FIELDS, Observed, Reader
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import ALL_ZONES, Values

ROUNDS = 3  # how often changes that are still waiting after a refresh are refreshed again
POLL_FIRST_SECONDS = 0.5
POLL_LONGEST_SECONDS = 5.0
RUNNING_STATUSES = ("todo", "doing")
FAILED_STATUSES = frozenset({"error", "cancelled", "blocked"})
LOOKED_AT = 5  # refreshes of the past, at most, to find the newest of each zone


class Refresher:
    """Refreshes one service. Every single wait may take ``timeout`` seconds."""

    def __init__(self, api: Api, reader: Reader, timeout: float) -> None:
        self._api = api
        self._reader = reader
        self._timeout = timeout
        self._newest: dict[str, Values] = {}
        self.tasks: list[Values] = []

    def refresh(self, zones: t.Collection[str], service_zones: t.Collection[str], wait: bool) -> None:
        """Refresh these zones, one refresh at a time.

        With ``wait`` off the last refresh is only started.

        :raises RefreshFailed: when a task fails, takes too long, or leaves changes waiting.
        """
        waiting = set(zones)
        for _round in range(ROUNDS):
            self._refresh_once(waiting, set(service_zones), wait)
            if not wait:
                return
            waiting = self._still_waiting(set(zones), set(service_zones))
            if not waiting:
                return
        raise RefreshFailed(
            f"changes are still waiting in {', '.join(sorted(waiting))} after {ROUNDS} refreshes; somebody else may be "
            "changing this service at the moment: run again when they are done",
            tasks=self.tasks,
        )

    def _still_waiting(self, zones: set[str], service_zones: set[str]) -> set[str]:
        pending = set(self._reader.pending())
        # What waits in "all" is over only when every zone is refreshed.
        if ALL_ZONES in pending and zones == service_zones:
            return zones
        return pending & zones

    def wait_for_running(self) -> bool:
        """Wait until no refresh runs; False if none did.

        :raises RefreshFailed: when that takes too long.
        """
        return self._wait_for_running(Deadline(self._timeout, self._api))

    def overdue(self, zones: t.Collection[str]) -> dict[str, int]:
        """Those of these zones whose newest refresh failed, each with one change: what it was to make live is not, and
        whether the API still counts it as waiting is not known."""
        self._newest = self._newest_refreshes(zones) if zones else {}
        return dict.fromkeys(sorted(self._failed()), 1)

    def settle(self, zones: t.Collection[str], service_zones: t.Collection[str]) -> None:
        """Wait for a refresh that ran when ``overdue`` looked: what no longer waits for one need not be live yet.

        :raises RefreshFailed: when it fails, takes too long, or leaves changes waiting in these zones.
        """
        running = {task["id"]: task for task in self._newest.values() if task["status"] in RUNNING_STATUSES}
        for task in running.values():
            self._follow(task)
        waiting = self._still_waiting(set(zones), set(service_zones)) if running else ()
        if waiting:
            raise RefreshFailed(
                f"the refresh that was running left changes waiting in {', '.join(sorted(waiting))}; run again",
                tasks=self.tasks,
            )

    def _newest_refreshes(self, zones: t.Collection[str]) -> dict[str, Values]:
        found: dict[str, Values] = {}
        tasks = self._api.get_list(f"{self._reader.root}/task", action="refreshIplb")
        for identifier in sorted(tasks, reverse=True)[:LOOKED_AT]:
            task = self._reader.task(identifier)
            if task is None:
                continue
            refreshed = _zones(task) or zones
            found.update({zone: task for zone in zones if zone in refreshed and zone not in found})
            if len(found) == len(zones):
                break
        return found

    def _failed(self) -> set[str]:
        return {zone for zone, task in self._newest.items() if task["status"] in FAILED_STATUSES}

    def _refresh_once(self, zones: set[str], service_zones: set[str], wait: bool) -> None:
        # One refresh without zone covers all zones, as in OVHcloud's own web client.
        targets = [None] if zones == service_zones else sorted(zones)
        for zone in targets:
            try:
                task = self._start(zone)
            except ApiError as error:
                if error.status != 400 or self._waits(zone):
                    raise
                self._pass_over(zone)
                continue
            if wait or zone != targets[-1]:
                task = self._follow(task)
            self.tasks.append(task)

    def _pass_over(self, zone: str | None) -> None:
        """Leave a zone where the API has nothing to refresh. What does not count as a waiting change, such as a private
        network, may be all there is."""
        failed = self._failed() & {zone} if zone else self._failed()
        if failed:
            raise RefreshFailed(
                f"the last refresh of {', '.join(sorted(failed))} failed, and the API refuses another one because it "
                "counts no waiting change: what was written may not be live. Change an object there, then run again",
                tasks=self.tasks,
            )

    def _waits(self, zone: str | None) -> bool:
        pending = set(self._reader.pending())
        return bool(pending & {zone, ALL_ZONES} if zone else pending)

    def _start(self, zone: str | None) -> Values:
        """Start one refresh as soon as no other runs."""
        deadline = Deadline(self._timeout, self._api)
        while True:
            self._wait_for_running(deadline)
            try:
                return self._api.post(f"{self._reader.root}/refresh", {"zone": zone} if zone else {}, *TASK_FIELDS)
            except LostAnswer:
                # It may have started: whatever runs is waited for, and a second refresh does no harm.
                reason = "the answer to the refresh was lost"
            except ApiError as error:
                if error.status != 409:
                    raise
                reason = "another refresh runs"
            if not deadline.sleep():
                raise RefreshFailed(
                    f"no refresh could be started within {self._timeout:g} s: {reason}; run again later"
                )

    def _running(self) -> list[int]:
        return [
            task
            for status in RUNNING_STATUSES
            for task in self._api.get_list(f"{self._reader.root}/task", action="refreshIplb", status=status)
        ]

    def _wait_for_running(self, deadline: Deadline) -> bool:
        waited = False
        while True:
            running = self._running()
            if not running:
                return waited
            waited = True
            if not deadline.sleep():
                listed = ", ".join(str(task) for task in running)
                raise RefreshFailed(
                    f"another refresh (task {listed}) is still running after {self._timeout:g} s; run again when it is "
                    "done, or raise wait_timeout"
                )

    def _follow(self, task: Values) -> Values:
        """The task when it is done, or as it was last seen before it vanished."""
        deadline = Deadline(self._timeout, self._api)
        while task["status"] != "done":
            if task["status"] in FAILED_STATUSES:
                raise RefreshFailed(
                    f"the refresh ended as {task['status']}: task {task['id']}, zones {', '.join(_zones(task))}; the "
                    "written configuration is not live there. Correct it, then run again",
                    task=task,
                )
            if not deadline.sleep():
                raise RefreshFailed(
                    f"the refresh is not done after {self._timeout:g} s (task {task['id']} is {task['status']}, "
                    f"{task.get('progress')} %); run again to wait on, or raise wait_timeout",
                    task=task,
                )
            now = self._reader.task(task["id"])
            if now is None:
                return task
            task = now
        return task

    def _last_refresh(self) -> datetime | None:
        """When the newest refresh ended, by the API's clock."""
        tasks = self.tasks
        if not tasks:
            done = self._api.get_list(f"{self._reader.root}/task", action="refreshIplb", status="done")
            tasks = [self._api.get_object(f"{self._reader.root}/task/{max(done)}")] if done else []
        times = [_time(task.get("doneDate") or task.get("creationDate")) for task in tasks]
        return max((moment for moment in times if moment), default=None)

    def wait_for_healthy(self, farms: t.Mapping[tuple[str, int], t.Collection[int]]) -> None:
        """Wait until every active, probed server of these farms (protocol, id) was found UP by every
        instance after the refresh; the ids are those of the servers that are known to be active and probed.

        Right after a reload HAProxy shows UP before any check ran, so a check counts only when it is younger than
        the refresh.

        :raises NotHealthy: naming each server that did not come up, and its last check.
        """
        since = self._last_refresh()
        deadline = Deadline(self._timeout, self._api)
        waiting = list(farms)
        while True:
            found = [(server, _trouble(server, since)) for server in self._servers(waiting, farms)]
            ill = [f"{server.values['address']}: {trouble}" for server, trouble in found if trouble]
            if not ill:
                return
            # Whoever is proven need not be read again.
            waiting = sorted({(server.protocol, server.parent_id or 0) for server, trouble in found if trouble})
            if not deadline.sleep():
                raise NotHealthy(
                    f"not healthy after {self._timeout:g} s: {'; '.join(ill)}. The configuration is live; check that "
                    "Postfix runs on these servers and expects the PROXY header that the farm sends"
                )

    def _servers(
        self, waiting: t.Sequence[tuple[str, int]], farms: t.Mapping[tuple[str, int], t.Collection[int]]
    ) -> list[Observed]:
        """The servers of these farms. An old list has not yet what this run made or made active, and would pass it."""
        servers = self._reader.servers(waiting)
        watched = {(server.protocol, server.parent_id, server.id) for server in servers if is_watched(server.values)}
        wanted = {(*farm, server) for farm in waiting for server in farms[farm]}
        if self._reader.lists.used and not wanted <= watched:
            self._reader.lists.distrust()
            servers = self._reader.servers(waiting)
        return servers


def is_watched(server: Values) -> bool:
    """Whether the health of a server is waited for."""
    return bool(server.get("status") == "active" and server.get("probe"))


def _zones(task: Values) -> list[str]:
    return [str(zone) for zone in task.get("zones") or []]


def _trouble(server: Observed, since: datetime | None) -> str | None:
    """What is wrong with a server, or None."""
    if not is_watched(server.values):
        return None
    if not server.server_state:
        return "no check reported yet"
    # HAProxy calls a server without weight, which gets no connections but is checked, UP or DRAIN.
    healthy = ("UP", "DRAIN") if server.values["weight"] == 0 else ("UP",)
    for state in server.server_state:
        if state.get("status") not in healthy:
            return _last_check(state)
        checked = _time(state.get("checkTime"))
        if since and (checked is None or checked <= since):
            return "not checked since the refresh"
    return None


def _last_check(state: Values) -> str:
    facts = [state.get(name) for name in ("status", "checkStatus", "checkCode", "lastCheckContent")]
    return f"instance {state.get('instanceId')} says {' '.join(str(fact) for fact in facts if fact)}"


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        # Python 3.9 does not take Z for UTC.
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.astimezone()


class Deadline:
    """Polls ever more slowly until a time limit in seconds is reached; time spent on the pace does not count."""

    def __init__(self, seconds: float, api: Api) -> None:
        self._api = api
        self._end = time.monotonic() + seconds - api.paced
        self._pause = POLL_FIRST_SECONDS

    def sleep(self) -> bool:
        """Pause before the next look; False when the time is over."""
        left = self._end + self._api.paced - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * 1.5, POLL_LONGEST_SECONDS)
        return True
