# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free certificates, which OVHcloud orders and renews for names that lead to the load balancer. Private to the
collection.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import LostAnswer, RefreshFailed
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Change
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.refresher import FAILED_STATUSES, Deadline
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.replacement import expiry_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import CERTIFICATE
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.settings import Order
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Reader, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values

BUILT = "built"  # the type of one whose names lead to the load balancer, so that OVHcloud can renew it
ORDER_ACTION = "orderFreeCertificate"
LOOKS_AFTER_THE_TASK = 3  # at a list that may follow its task a moment later


class FreeCertificate:
    """Plans and orders one free certificate. ``done`` are the reports of what was carried out."""

    moves = False
    lane = " freeCertificate"  # its turns are its own: an order may take long, and is about nothing else

    def __init__(self, api: Api, reader: Reader, wanted: Order, timeout: float) -> None:
        self._api = api
        self._reader = reader.by_single_reads()  # a stale list would order a second one
        self._wanted = wanted
        self._timeout = timeout
        self._found: Observed | None = None
        self.done: list[Values] = []

    def plan(self, snapshot: Snapshot) -> Change | None:
        """The order, a new name for what was ordered before, or None."""
        self._found = self._good_one()
        zones = tuple(snapshot.zones)
        name = self._wanted.display_name
        key = name or ",".join(sorted(self._wanted.names))
        named = {"display_name": name} if name else {}
        if self._found is None:
            after = {**named, "fqdn": sorted(self._wanted.names)}
            return Change(CERTIFICATE.kind, key, {}, after, zones, action="create")
        if named and self._found.name != name:
            return Change(CERTIFICATE.kind, key, {"display_name": self._found.name}, named, zones, id=self._found.id)
        return None

    def zones(self, snapshot: Snapshot) -> frozenset[str]:
        return frozenset(snapshot.zones)

    def enter(self, change: Change | None) -> None:
        """Order it, wait for it, and name it.

        :raises RefreshFailed: when it does not come.
        """
        if change is None:
            return
        found = self._found or self._order()
        if self._found is None:
            self.done = [replace(change, after={"fqdn": change.after["fqdn"]}).report(found.id)]
        if "display_name" in change.after:
            path = f"{self._reader.path(CERTIFICATE, found.protocol)}/{found.id}"
            self._api.put(path, {"displayName": change.after["display_name"]})
        self._found = found
        self.done = [change.report(found.id)]

    def leave(self, _change: Change | None) -> None:
        """Nothing comes after the objects."""

    def told(self) -> Values:
        """The certificate as it is now, for the result."""
        found = self._good_one()
        if found is None:
            return {}
        return {CERTIFICATE.plural: [{CERTIFICATE.id_option: found.id, **found.values, **found.facts}]}

    def _good_one(self) -> Observed | None:
        """The one for just these names that is good for longest; one of this name first."""
        good = [item for item in self._reader.objects(CERTIFICATE, CERTIFICATE.protocols) if self._is_good(item)]
        named = [item for item in good if item.name == self._wanted.display_name]
        return max(named or good, key=lambda item: (expiry_of(item), item.id), default=None)

    def _is_good(self, item: Observed) -> bool:
        expiry = expiry_of(item)
        names = {str(name).lower() for name in item.facts["san"]}
        return (
            item.facts["type"] == BUILT
            and names == self._wanted.names
            and expiry is not None
            and expiry > datetime.now(timezone.utc)
        )

    def _order(self) -> Observed:
        deadline = Deadline(self._timeout, self._api)
        for task in self._running():
            self._follow(task, deadline)  # perhaps of a run that was cut: then there is nothing to order
        found = self._good_one()
        if found:
            return found
        lost = None
        try:
            body = {"fqdn": sorted(self._wanted.names)}
            self._follow(self._api.post(f"{self._reader.root}/freeCertificate", body, "id")["id"], deadline)
        except LostAnswer as error:
            lost = error
            for task in self._running():
                self._follow(task, deadline)
        return self._delivered(deadline, lost)

    def _running(self) -> list[int]:
        path = f"{self._reader.root}/task"
        return [
            task
            for status in ("todo", "doing")
            for task in self._api.get_list(path, action=ORDER_ACTION, status=status)
        ]

    def _follow(self, identifier: int, deadline: Deadline) -> None:
        while True:
            task = self._reader.task(identifier)
            if task is None or task["status"] == "done":
                return
            if task["status"] in FAILED_STATUSES:
                raise RefreshFailed(
                    f"the order of a free certificate ended as {task['status']} (task {identifier}); check that "
                    f"{', '.join(sorted(self._wanted.names))} lead to the load balancer, then run again",
                    task=task,
                )
            if not deadline.sleep():
                raise RefreshFailed(
                    f"the free certificate is not there after {self._timeout:g} s (task {identifier} is "
                    f"{task['status']}); run again to wait on, or raise wait_timeout",
                    task=task,
                )

    def _delivered(self, deadline: Deadline, lost: LostAnswer | None) -> Observed:
        for _look in range(LOOKS_AFTER_THE_TASK):
            found = self._good_one()
            if found:
                return found
            if not deadline.sleep():
                break
        if lost:
            raise lost
        raise RefreshFailed(
            "the order of a free certificate is done, and no good certificate with just these names is there; look at "
            "the certificates in the control panel, then run again"
        )
