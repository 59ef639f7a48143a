# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can be known to fail later fails here, before anything is written. Private to the collection.

What a plan must not do is said in ``rules.py``; here what they need is read, and what to do is told.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.rules import (
    cleartext_logins,
    deployment_gaps,
    ends_after,
    login_farms,
    port_clashes,
    stray_networks,
    takes_logins_by_tls,
    too_many,
    touches_logins,
    unsafe_drains,
    unwatchable,
    vrack_gaps,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FARM, FRONTEND, ROUTE, SERVER
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.verification import peers_of


class Preflight:
    """Holds a plan against the rules that the task's options ask for."""

    def __init__(self, options: Values, reader: Reader, warn: t.Callable[[str], None]) -> None:
        self._options = options
        self._reader = reader
        self._warn = warn

    def check_foreign(self, foreign: dict[str, int]) -> None:
        """:raises InvalidInput: where changes of others wait, and are not to go live with this run."""
        if foreign and self._options["refresh"] and self._options["foreign_changes"] == "refuse":
            waiting = ", ".join(f"{zone} ({number})" for zone, number in foreign.items())
            raise InvalidInput(
                f"foreign_changes: changes that this run did not make are waiting in zone {waiting}, and refreshing "
                "would publish them. Look at them in the control panel, then publish them with "
                f"mailops.ovh_iplb.refresh (zones: [{', '.join(foreign)}]), or set foreign_changes: apply",
                foreign_changes=foreign,
            )

    def check(self, plan: Plan, snapshot: Snapshot, zones: set[str]) -> None:
        """:raises InvalidInput: for the first rule that the plan breaks."""
        if self._options["wait_for_healthy"]:
            self._check_watchable(plan)
        if self._options["require_healthy_peers"]:
            self._check_drains(plan, snapshot)
        self._check_successors(plan)
        if zones or touches_logins(plan):
            self._reader.add_what_is_deployed(snapshot)
        self._check_vrack(plan, snapshot)
        self._check_limits(plan, snapshot)
        self._check_logins(plan, snapshot)
        if zones:
            check_deployable(plan, snapshot)
            for clash in port_clashes(plan, snapshot):
                self._warn(f"two frontends listen on the same port: {clash}; remove or disable one")

    def _check_vrack(self, plan: Plan, snapshot: Snapshot) -> None:
        strays = stray_networks(plan, snapshot)
        if strays:
            raise InvalidInput(
                f"vrack_network {', '.join(strays)} can not be created: the service is in no vRack. Attach it first, "
                "with vrack of the module service, or in the settings of the same task of load_balancer"
            )
        gaps = vrack_gaps(plan, snapshot)
        if gaps:
            raise InvalidInput(
                f"vrack: the service can not be moved: {'; '.join(gaps)}. In a vRack every farm needs a vrack_network "
                "and servers with private addresses, outside none has a network: give all of that in one task of "
                "load_balancer, with the vRack in its settings"
            )

    def _check_limits(self, plan: Plan, snapshot: Snapshot) -> None:
        if any(operation.resource == ROUTE and operation.action == "create" for operation in plan.operations):
            self._reader.add(snapshot, ROUTE, ROUTE.protocols)
        breaches = too_many(plan, snapshot)
        if breaches:
            raise InvalidInput(f"{'; '.join(breaches)}; delete what is not needed, in a task before, or write fewer")

    def _check_logins(self, plan: Plan, snapshot: Snapshot) -> None:
        if self._options["allow_cleartext_behind_tls"]:
            return
        if any(takes_logins_by_tls(end) for end in ends_after(plan, snapshot, FRONTEND)):
            self._reader.add(snapshot, ROUTE, ROUTE.protocols)
        snapshot.of(SERVER).extend(self._reader.servers(login_farms(plan, snapshot)))
        cleartext = cleartext_logins(plan, snapshot)
        if cleartext:
            raise InvalidInput(
                "ssl: TLS would end at the load balancer, and passwords would travel in clear to "
                f"{', '.join(cleartext)}. Give these servers ssl: true, let TLS end at them with ssl: false at the "
                "frontend, or accept it with allow_cleartext_behind_tls: true"
            )

    def _check_drains(self, plan: Plan, snapshot: Snapshot) -> None:
        if self._reader.lists.used:
            self._reader.renew(snapshot, SERVER, peers_of(plan.operations, SERVER, snapshot))
        unsafe = unsafe_drains(plan, snapshot)
        if unsafe:
            raise InvalidInput(
                f"require_healthy_peers: {', '.join(unsafe)} would leave the farm without a server that is healthy on "
                "every instance. Bring another server up first; where its health is not known, give the farm a probe "
                "and each server probe: true"
            )

    def _check_watchable(self, plan: Plan) -> None:
        unwatched = unwatchable(plan)
        if unwatched:
            raise InvalidInput(
                f"wait_for_healthy: nothing probes {', '.join(unwatched)}; give the farm a probe and each server "
                "probe: true, or set wait_for_healthy: false"
            )

    def _check_successors(self, plan: Plan) -> None:
        if any(operation.phase for operation in plan.operations):
            successors = [new for _old, new in plan.successors]
            watched = [end for end in plan.of(FARM) if end.ref in successors]
            blind = [key for farm in watched for key in unwatchable(plan, [farm])]
            if blind:
                raise InvalidInput(
                    f"replace: nothing probes {', '.join(blind)}, so it can not be told whether the new farm is "
                    "healthy before the old one goes; give the farm a probe and each server probe: true"
                )


def check_deployable(plan: Plan, snapshot: Snapshot) -> None:
    """:raises InvalidInput: when a refresh could not deploy the planned configuration."""
    gaps = deployment_gaps(plan, snapshot)
    if gaps:
        raise InvalidInput(
            f"this configuration can not be deployed: {'; '.join(gaps)}. A load balancer needs at least one frontend, "
            "and every frontend, even a disabled one, a default farm. Add what is missing, or stage the change alone "
            "with refresh: false"
        )
