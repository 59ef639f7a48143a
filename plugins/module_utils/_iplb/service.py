# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a service as a whole: its name, how it speaks TLS, alerts of traffic, its vRack. Private to the
collection.

A service is attached to a vRack before anything else is written, since only then there can be private networks, and
leaves it after everything else, when no farm is in one any more.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api, segment
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import (
    ApiError,
    InvalidInput,
    LostAnswer,
    RefreshFailed,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Change
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.refresher import FAILED_STATUSES, Deadline
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import QUOTA_FIELDS, SERVICE_FIELDS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import (
    TASK_FIELDS,
    Reader,
    Snapshot,
    zones_of,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import same

ALERT = QUOTA_FIELDS[0]
IN_A_VRACK = frozenset({"active", "activating"})
ON_THE_WAY = frozenset({"activating", "deactivating"})
LOOKS_AFTER_THE_TASK = 3  # at a state that may follow its task a moment later


def settings_of(api: Api, reader: Reader, service: Values) -> Values:
    """All settings, in the shape of the options."""
    zones = zones_of(service)
    return {**_fields_of(service), "quota_alerts": _alerts_of(api, reader, zones), "vrack": service.get("vrackName")}


def _fields_of(service: Values) -> Values:
    return {field.name: service.get(field.api) for field in SERVICE_FIELDS}


def _alerts_of(api: Api, reader: Reader, zones: t.Sequence[str]) -> Values:
    answers = api.get_many([f"{reader.root}/quota/{segment(zone)}" for zone in zones])
    return {zone: answer.get(ALERT.api) for zone, answer in zip(zones, answers)}


class Service:
    """Plans and writes the settings of one service."""

    lane = ""

    def __init__(self, api: Api, reader: Reader, wanted: Values, timeout: float) -> None:
        self._api = api
        self._reader = reader
        self._wanted = wanted
        self._timeout = timeout
        self._vrack: tuple[str, str | None] | None = None  # its state and name, once they were read
        self._change: Change | None = None
        self._written: Values = {}

    @property
    def done(self) -> list[Values]:
        """The report of what was carried out so far."""
        if not (self._change and self._written):
            return []
        before = {name: self._change.before[name] for name in self._written}
        if "quota_alerts" in before:
            before["quota_alerts"] = {zone: before["quota_alerts"][zone] for zone in self._written["quota_alerts"]}
        return [replace(self._change, before=before, after=self._written).report()]

    @property
    def moves(self) -> bool:
        """Whether the task takes the service into a vRack or out of it."""
        return "vrack" in self._wanted and self._wanted["vrack"] != self._current_vrack()

    def plan(self, snapshot: Snapshot) -> Change | None:
        """What is to change, or None.

        :raises InvalidInput: for a zone that the service does not have, or a vRack beside the one that it is in.
        """
        current = self._current(snapshot)
        before, after = {}, {}
        for field in SERVICE_FIELDS:
            name = field.name
            if name in self._wanted and not same(field, self._wanted[name], current[name]):
                before[name], after[name] = current[name], self._wanted[name]
        alerts = current.get("quota_alerts", {})
        changed = {zone: value for zone, value in self._wanted.get("quota_alerts", {}).items() if value != alerts[zone]}
        if changed:
            before["quota_alerts"], after["quota_alerts"] = {zone: alerts[zone] for zone in changed}, changed
        if self.moves:
            before["vrack"], after["vrack"] = current["vrack"], self._wanted["vrack"]
            self._check_move(current["vrack"], self._wanted["vrack"])
        zones = tuple(snapshot.zones) if "ssl_configuration" in after else ()
        return Change("service", snapshot.service_name, before, after, zones) if after else None

    def zones(self, snapshot: Snapshot) -> frozenset[str]:
        """Where the settings of the task are deployed: only how TLS is spoken waits for a refresh."""
        return frozenset(snapshot.zones if "ssl_configuration" in self._wanted else ())

    def told(self) -> Values:
        """The settings of the task as they are now, for the result."""
        return {"settings": self._wanted} if self._wanted else {}

    def _current(self, snapshot: Snapshot) -> Values:
        current = _fields_of(snapshot.service)
        asked = sorted(self._wanted.get("quota_alerts", {}))
        unknown = [zone for zone in asked if zone not in snapshot.zones]
        if unknown:
            raise InvalidInput(
                f"quota_alerts: {', '.join(unknown)} is not a zone of this service; use {', '.join(snapshot.zones)}"
            )
        if asked:
            current["quota_alerts"] = _alerts_of(self._api, self._reader, asked)
        if "vrack" in self._wanted:
            current["vrack"] = self._current_vrack()
        return current

    def _check_move(self, current: str | None, wanted: str | None) -> None:
        if current and wanted:
            raise InvalidInput(
                f"vrack: the service is in vRack {current}; leave it with vrack: null first, then attach it to {wanted}"
            )

    # Writing

    def enter(self, change: Change | None) -> None:
        """Everything that comes before the objects: the service's own fields, and a vRack to be in."""
        self._change = change
        after = change.after if change else {}
        body = {field.api: after[field.name] for field in SERVICE_FIELDS if field.name in after}
        if body:
            self._api.put(self._reader.root, body)
            self._written = {field.name: after[field.name] for field in SERVICE_FIELDS if field.name in after}
        for zone, alert in after.get("quota_alerts", {}).items():
            self._api.put(f"{self._reader.root}/quota/{segment(zone)}", {ALERT.api: alert})
            self._written.setdefault("quota_alerts", {})[zone] = alert
        if self._wanted.get("vrack"):
            self._move(self._wanted["vrack"])
            self._note_move()

    def leave(self, _change: Change | None) -> None:
        """What comes after the objects: to be in no vRack."""
        if "vrack" in self._wanted and not self._wanted["vrack"]:
            self._move(None)
            self._note_move()

    def _note_move(self) -> None:
        if self._change and "vrack" in self._change.after:
            self._written["vrack"] = self._change.after["vrack"]

    # The vRack

    def _current_vrack(self) -> str | None:
        state, name = self._vrack or self._read_vrack()
        return name if state in IN_A_VRACK else None

    def _read_vrack(self) -> tuple[str, str | None]:
        try:
            answer = self._api.get_object(f"{self._reader.root}/vrack/status", "state")
        except ApiError as error:
            if error.status == 404:
                self._reader.service()  # where it is the service that does not exist, this says so
            raise
        self._vrack = answer["state"], answer.get("vrackName")
        return self._vrack

    def _move(self, wanted: str | None) -> None:
        """Attach or detach, and wait for that; what is under way is waited for first.

        :raises RefreshFailed: when it fails or takes too long.
        """
        deadline = Deadline(self._timeout, self._api)
        state, name = self._read_vrack()  # now: another run may have had its turn since the plan was made
        while state in ON_THE_WAY:
            self._sleep(deadline, state)
            state, name = self._read_vrack()
        current = name if state in IN_A_VRACK else None
        if current == wanted:
            return
        self._check_move(current, wanted)
        vrack = wanted or current
        path = f"/vrack/{segment(vrack)}"
        self._follow(f"{path}/task", self._start(path, wanted), wanted, deadline)

    def _start(self, path: str, wanted: str | None) -> Values | None:
        service = self._reader.service().get("serviceName")
        if not wanted:
            self._api.delete(f"{path}/ipLoadbalancing/{segment(service)}")
            return None
        try:
            return self._api.post(f"{path}/ipLoadbalancing", {"ipLoadbalancing": service}, *TASK_FIELDS)
        except LostAnswer:
            return None  # what the state comes to says whether it was heard

    def _follow(self, tasks: str, task: Values | None, wanted: str | None, deadline: Deadline) -> None:
        looks = 0
        while True:
            task = self._task(f"{tasks}/{task['id']}") if task else None
            state, name = self._read_vrack()
            if state not in ON_THE_WAY and (name if state in IN_A_VRACK else None) == wanted:
                return
            over = task is None or task["status"] == "done"
            looks = looks + 1 if over and state not in ON_THE_WAY else 0
            if looks > LOOKS_AFTER_THE_TASK or (task and task["status"] in FAILED_STATUSES):
                raise RefreshFailed(
                    f"vrack: the service is {state}, and its task of the vRack ended"
                    f"{' as ' + task['status'] if task else ''} without having changed that; look at the vRack in the "
                    "control panel, then run again",
                    task=task,
                )
            self._sleep(deadline, state)

    def _task(self, path: str) -> Values | None:
        """None for one that is over: finished tasks of a vRack leave its list."""
        try:
            return self._api.get_object(path, *TASK_FIELDS)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def _sleep(self, deadline: Deadline, state: str) -> None:
        if not deadline.sleep():
            raise RefreshFailed(
                f"vrack: the service is still {state} after {self._timeout:g} s; run again to wait on, or raise "
                "wait_timeout"
            )
