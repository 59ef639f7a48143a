# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way from a task to its result: read, plan, check, write, make live. Private to the collection."""

from __future__ import annotations

import contextlib
import math
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import OVH_IMPORT_ERROR, Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.checks import check_zone
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.credentials import clean, find_settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import (
    InvalidInput,
    IplbError,
    NotHealthy,
    library_missing,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.executor import Executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.free_certificate import FreeCertificate
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import gather
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.keys import object_key
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import (
    Change,
    End,
    Operation,
    Plan,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.planner import make_plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.preflight import Preflight, check_deployable
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import held
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.refresher import Refresher, is_watched
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.replacement import way_back
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.result import diff, objects, reports
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    CERTIFICATE,
    FARM,
    SERVER,
    referrers,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.service import Service
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader, Scope, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import ALL_ZONES, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.turn import Turn
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.verification import beyond_doubt, is_confirmed
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule

ANOTHER_PYTHON = (
    "set ansible_python_interpreter, for this task or the host, to a Python that has it, "
    'which mostly is the one of Ansible itself, "{{ ansible_playbook_python }}"'
)


def run(module: NullAwareModule, desired_from: t.Callable[[Values], Desired]) -> None:
    """Run one of the modules that write, and end it.

    :param desired_from: turns the written options into the desired state.
    """
    result: Values = {"changed": False}
    try:
        desired = desired_from(module.written)
        # As they are sent: Ansible knows them as they were written, or not at all where they come from a file.
        module.hide(desired.secrets())
        _Run(module, desired, result).run()
    except IplbError as error:
        fail(module, error, result)
    module.exit_json(**result)


def refresh_pending(module: NullAwareModule, result: Values) -> None:
    """Make waiting changes live; the whole of the module refresh.

    :raises IplbError: with ``result`` filled as far as the run came.
    """
    api, reader = connect(module)
    snapshot = reader.snapshot(Scope())
    asked = _asked_zones(module.params["zones"], snapshot)
    refresher = Refresher(api, reader, module.params["wait_timeout"])
    waiting = {**snapshot.pending, **refresher.overdue(asked - snapshot.pending.keys())}
    pending = {zone: number for zone, number in sorted(waiting.items()) if zone in asked}
    result.update(
        changed=bool(pending),
        pending_changes=pending,
        refreshed_zones=list(pending),
        diff={"before": pending, "after": {}},
    )
    if not pending:
        if module.params["wait"] and not module.check_mode:
            refresher.settle(asked, snapshot.zones)
        return
    beyond_doubt(reader, lambda: _require_deployable(reader, snapshot))
    if module.check_mode:
        return
    try:
        refresher.refresh(pending, snapshot.zones, module.params["wait"])
    finally:
        result["tasks"] = refresher.tasks


def _require_deployable(reader: Reader, service: Snapshot) -> None:
    snapshot = replace(service, objects={}, read=set())
    reader.add_what_is_deployed(snapshot)
    check_deployable(make_plan(Desired(), snapshot), snapshot)


def _asked_zones(zones: list[str] | None, snapshot: Snapshot) -> set[str]:
    if zones is None:
        return set(snapshot.zones)
    if not zones:
        raise InvalidInput("zones is empty: name zones, or leave it out to refresh every zone")
    asked = {check_zone(zone, "zones") for zone in zones}
    unknown = sorted(asked - {*snapshot.zones, ALL_ZONES})
    if unknown:
        raise InvalidInput(
            f"zones: {', '.join(unknown)} is not a zone of this service; use {', '.join(snapshot.zones)} or {ALL_ZONES}"
        )
    return set(snapshot.zones) if ALL_ZONES in asked else asked


def connect(module: NullAwareModule) -> tuple[Api, Reader]:
    """The API and the service that the task names.

    :raises InvalidInput: without service name or credentials.
    """
    if OVH_IMPORT_ERROR:
        module.fail_json(msg=library_missing(OVH_IMPORT_ERROR, ANOTHER_PYTHON), exception=OVH_IMPORT_ERROR)
    service_name = clean("service_name", module.params["service_name"] or "")
    if not service_name:
        raise InvalidInput("service_name is empty: set the option, or OVH_IPLB_SERVICE in the environment")
    if not 0 < module.params.get("wait_timeout", 1) < math.inf:
        raise InvalidInput(
            "wait_timeout must be more than 0 seconds, and not endless; wait: false does not wait at all"
        )
    settings = find_settings(module.params)
    # Credentials from the environment or ovh.conf must not be shown either.
    module.hide(value for name, value in settings.credentials.items() if name != "client_id")
    api = Api(settings)
    return api, Reader(api, service_name, settings.bulk_reads)


def fail(module: NullAwareModule, error: IplbError, result: Values) -> None:
    module.fail_json(msg=error.message, **{**error.details, **result})


@dataclass(frozen=True)
class _Ready:
    """What a run is about to do. ``foreign`` are the changes of others that wait in the zones that it concerns."""

    snapshot: Snapshot
    plan: Plan
    foreign: dict[str, int]
    zones: set[str]


class _Run:
    def __init__(self, module: NullAwareModule, desired: Desired, result: Values) -> None:
        self._module = module
        self._options = module.params
        self._desired = desired
        self._result = result
        self._api, self._reader = connect(module)
        timeout = module.params["wait_timeout"]
        self._refresher = Refresher(self._api, self._reader, timeout)
        self._aside: Service | FreeCertificate = Service(self._api, self._reader, desired.settings, timeout)
        if desired.free:
            self._aside = FreeCertificate(self._api, self._reader, desired.free, timeout)
        self._preflight = Preflight(self._options, self._reader, module.warn)

    def run(self) -> None:
        if self._options["wait_for_healthy"] and not (self._options["refresh"] and self._options["wait"]):
            raise InvalidInput("wait_for_healthy needs refresh: true and wait: true; health is that of the live state")
        if self._module.check_mode:
            self._api.keep_answers()
        wanted = self._options.get("gather")
        existing = gather(self._api, self._reader, wanted) if wanted else None
        self._converge()
        if existing:
            # Not where it fails: the reason would be lost in all the objects that Ansible shows with it.
            self._result["existing"] = existing

    def _converge(self) -> None:
        turn = Turn(self._api.endpoint, self._options["service_name"] + self._aside.lane)
        ready = self._prepare()
        if self._module.check_mode or not (ready.plan.operations or ready.plan.aside):
            self._go_on(ready)
            return
        with contextlib.ExitStack() as stack:
            if stack.enter_context(turn.taken(self._options["wait_timeout"])):
                ready = self._prepare()
            self._go_on(ready, stack.close)

    def _go_on(self, ready: _Ready, end_turn: t.Callable[[], None] = lambda: None) -> None:
        for notice in ready.plan.notices:
            self._module.warn(notice)
        if self._module.check_mode:
            return
        self._describe(ready)
        self._carry_out(ready.plan, ready.snapshot, ready.zones, end_turn)

    def _prepare(self) -> _Ready:
        """What is there, and what to do about it, held against the rules."""
        return beyond_doubt(self._reader, self._attempt)

    def _attempt(self) -> _Ready:
        snapshot, plan = self._read_and_plan()
        if self._reader.lists.used and not is_confirmed(plan, snapshot, self._reader):
            self._module.warn("bulk answers of the API were not up to date: everything was read singly instead")
            self._reader.lists.distrust()
            snapshot, plan = self._read_and_plan()
        return self._judge(snapshot, plan)

    def _read_and_plan(self) -> tuple[Snapshot, Plan]:
        snapshot = self._reader.snapshot(self._scope())
        plan = self._plan(snapshot)
        if self._reader.lists.used and self._reader.complete(snapshot, plan.absences):
            plan = self._plan(snapshot)
        return snapshot, plan

    def _judge(self, snapshot: Snapshot, plan: Plan) -> _Ready:
        foreign = {zone: snapshot.pending[zone] for zone in sorted(plan.zones) if zone in snapshot.pending}
        if self._options["refresh"]:
            # What is refreshed anyway matters only to who does not want to publish anything else.
            spared = foreign if self._options["foreign_changes"] == "refuse" else self._zones_to_refresh(plan, foreign)
            foreign.update(self._refresher.overdue(plan.zones.difference(spared)))
        ready = _Ready(snapshot, plan, foreign, self._zones_to_refresh(plan, foreign))
        self._result["service"] = {name: snapshot.service.get(name) for name in ("ipv4", "ipv6", "offer", "state")}
        self._result["service"].update(service_name=snapshot.service_name, zones=snapshot.zones)
        if self._module.check_mode:
            # Before the checks: what differs is worth knowing also where the run would refuse to correct it.
            self._describe(ready)
        self._preflight.check(plan, snapshot, foreign, ready.zones)
        return ready

    def _plan(self, snapshot: Snapshot) -> Plan:
        plan = make_plan(self._desired, snapshot)
        if not (self._options["refresh"] and self._options["wait"]):
            # What makes room must not go before its successor is live, which this run will not see.
            plan.operations = [operation for operation in plan.operations if operation.phase == 0]
        plan.aside = self._aside.plan(snapshot)
        plan.zones |= self._aside.zones(snapshot)
        return plan

    def _scope(self) -> Scope:
        scope = self._desired.scope()
        if self._aside.moves:
            # Every farm has to be ready for it.
            every_farm = {**scope.kinds, FARM.kind: frozenset(FARM.protocols)}
            return replace(scope, kinds=every_farm, every_parent=scope.every_parent | {FARM.kind})
        if not (self._options["wait_for_healthy"] or self._options["require_healthy_peers"]):
            return replace(scope, address=self._desired.only_address)
        if not self._options["wait_for_healthy"]:
            return scope
        farms = {(FARM.kind, known) for farm in self._desired.of(FARM) for known in farm.known_as}
        return replace(scope, parents=scope.parents | farms)

    def _zones_to_refresh(self, plan: Plan, foreign: dict[str, int]) -> set[str]:
        if not self._options["refresh"]:
            return set()
        own = plan.aside.zones if plan.aside else ()
        return {zone for operation in plan.operations for zone in operation.zones} | {*own, *foreign}

    def _describe(self, ready: _Ready) -> None:
        plan, foreign, zones = ready.plan, ready.foreign, ready.zones
        self._result.update(
            changed=bool(plan.aside or plan.operations or zones),
            plan=reports(plan),
            foreign_changes=foreign,
            refreshed_zones=sorted(zones),
            diff=diff(plan, foreign if zones else {}),
        )
        if foreign and zones and self._options["foreign_changes"] == "apply":
            listed = ", ".join(f"{number} in {zone}" for zone, number in foreign.items())
            self._module.warn(f"changes that this run did not make were waiting and go live with it: {listed}")

    def _carry_out(self, plan: Plan, snapshot: Snapshot, zones: set[str], end_turn: t.Callable[[], None]) -> None:
        executor = Executor(self._api, self._reader, self._refresher.wait_for_running)
        self._write_aside(self._aside.enter, plan.aside, executor)
        now, *later = plan.phases() if plan.operations and plan.operations[0].phase == 0 else [[], *plan.phases()]
        self._write(now, executor)
        self._write_aside(self._aside.leave, plan.aside, executor)
        end_turn()  # refreshes wait for each other, and what is still to be written creates nothing
        self._make_live(plan, snapshot, zones, executor)
        if later:
            self._reader.lists.distrust()  # right after our own writes a cached list is the least to rely on
        for operations in later:
            self._prove_successors(plan, executor, snapshot)
            free = self._free(operations)
            self._write(free, executor)
            reached = {zone for operation in free for zone in operation.zones}
            self._make_live(plan, snapshot, reached, executor)
        self._result["plan"] = self._done(executor)
        self._result.update({**objects(plan, executor), **self._aside.told()})
        if plan.of(CERTIFICATE):
            self._tell_certificates()

    def _prove_successors(self, plan: Plan, executor: Executor, snapshot: Snapshot) -> None:
        """Wait for the health of farms that take the place of others; if one does not come up, all is led back."""
        successors = [new for _old, new in plan.successors]
        farms = _watched([end for end in plan.of(FARM) if end.ref in successors], plan, executor)
        try:
            if farms:
                self._refresher.wait_for_healthy(farms)
        except NotHealthy as error:
            back = way_back(plan, FARM.kind)
            executor.run(back)
            self._refresher.refresh({zone for item in back for zone in item.zones}, snapshot.zones, wait=True)
            led = ", ".join(f"{item.resource.kind} {item.key}" for item in back) or "Nothing"
            raise NotHealthy(
                f"{error.message} {led} led to the new farm: to the one that was to be replaced again, and that is "
                "live. The new farm is there and serves nobody: correct it and run again, or delete it",
                **error.details,
            ) from None

    def _free(self, operations: t.Sequence[Operation]) -> list[Operation]:
        """What may go: what nothing leads to any more, and the children of that alone."""
        stays = {
            (item.resource.kind, item.protocol, item.id)
            for item in operations
            if not item.parent and self._is_still_named(item)
        }
        return [
            item
            for item in operations
            if (item.resource.kind, item.protocol, item.id) not in stays
            and not (item.parent and (item.parent.kind, item.parent.protocol, item.parent.id) in stays)
        ]

    def _is_still_named(self, operation: Operation) -> bool:
        """Whether anything leads to what is to go, on a fresh read: somebody may have changed that meanwhile."""
        users = [
            object_key(item.protocol, item.values)
            for resource, reference in referrers(operation.resource.kind)
            for item in self._reader.objects(resource, resource.protocols)
            if str(held(reference, item.values)) == str(operation.id)
        ]
        if users:
            self._module.warn(
                f"{operation.resource.kind} {operation.key} ({operation.id}) stays: {', '.join(users)} uses it again"
            )
        return bool(users)

    def _write(self, operations: t.Sequence[Operation], executor: Executor) -> None:
        try:
            executor.run(operations)
        except IplbError:
            self._tell_what_is_done(executor)
            raise

    def _write_aside(self, write: t.Callable[[Change | None], None], change: Change | None, executor: Executor) -> None:
        try:
            write(change)
        except IplbError:
            self._tell_what_is_done(executor)
            raise

    def _tell_certificates(self) -> None:
        """What the API says of the certificates of the task: until when they are good, above all."""
        facts = {item.id: item.facts for item in self._reader.objects(CERTIFICATE, CERTIFICATE.protocols)}
        for certificate in self._result[CERTIFICATE.plural]:
            certificate.update(facts.get(certificate[CERTIFICATE.id_option], {}))

    def _tell_what_is_done(self, executor: Executor) -> None:
        done = self._done(executor)
        self._result.update(changed=bool(done), written=done)

    def _done(self, executor: Executor) -> list[Values]:
        """The reports of all that was carried out, in its order."""
        leaves = [report for report in self._aside.done if report["after"].get("vrack", "") is None]
        return [report for report in self._aside.done if report not in leaves] + executor.done + leaves

    def _make_live(self, plan: Plan, snapshot: Snapshot, zones: set[str], executor: Executor) -> None:
        try:
            if zones:
                self._refresher.refresh(zones, snapshot.zones, self._options["wait"])
            elif plan.zones and self._options["refresh"] and self._options["wait"]:
                self._refresher.settle(plan.zones, snapshot.zones)
            if self._options["wait_for_healthy"]:
                self._refresher.wait_for_healthy(_watched(plan.of(FARM), plan, executor))
        finally:
            self._result["tasks"] = self._refresher.tasks


def _watched(farms: t.Iterable[End], plan: Plan, executor: Executor) -> dict[tuple[str, int], set[int]]:
    """Farms (protocol, id), each with the ids of the servers whose health is to be waited for."""
    return {
        (farm.protocol, executor.id_of(farm.ref)): {
            executor.id_of(server.ref) for server in plan.children(SERVER, farm.ref) if is_watched(server.values)
        }
        for farm in farms
    }
