# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of a Postfix configuration, planned and tried out on a copy. Private to the collection."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import (
    header,
    host,
    layout,
    preflight,
    surroundings,
    trial,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import instance as instances
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import (
    edited,
    plan_changes,
    removed_last,
    suggestion,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.journal import (
    Journal,
    Replaced,
    load_journal,
    load_replaced,
    text_digest,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import (
    replaced_overrides,
    with_listeners,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.liveness import is_live
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUIDE_PARAMETER,
    MAIN,
    MASTER,
    MODE,
    Change,
    Listener,
    PostfixError,
    Request,
    Settings,
    is_proxied,
    places,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.proof import State, prove
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.verdict import refuse_unsound

# How strong each way is to make Postfix see its files.
APPLY = ("none", "reload", "restart")


@dataclass
class Prepared:
    """A plan that has been tried out, with all that carrying it out takes."""

    instance: instances.Instance
    before: Settings
    after: Settings
    changes: list[Change]
    current: Mapping[str, str]
    """The files as they are."""
    previous: Mapping[str, str]
    """The files to go back to: the current ones, or those of a cut run's journal."""
    target: Mapping[str, str]
    main_meanwhile: str
    """main.cf with the names that go only once the new master.cf is live."""
    apply: str
    """What it takes to make the result live; ``none`` when it is, or when the task says so."""
    live: bool
    journal: Journal | None
    replaced_before: Replaced
    replaced: Replaced
    modes: Mapping[str, int]
    """The permissions to give, by file; only those that differ."""
    modes_before: Mapping[str, int]
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where the load balancer speaks to a service, by its name, as far as that is an address of this host."""
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.plan) or self.current != self.target or self.apply != "none" or self.journal is not None

    @property
    def plan(self) -> list[Change]:
        """The changes, with those of permissions as a parameter ``mode``."""
        modes = [
            Change(name, None, MODE, f"{self.modes_before[name]:04o}", f"{mode:04o}")
            for name, mode in self.modes.items()
        ]
        return [*self.changes, *modes]


def prepare(directory: str, request: Request, apply: str, copy: str, mode: int | None = None) -> Prepared:
    """Plan a request and try it out in ``copy``, an empty directory. Raises PostfixError for what can not be done."""
    for name in (MAIN, MASTER):
        host.check_file(os.path.join(directory, name))
    modes_before = {name: host.mode(os.path.join(directory, name)) for name in (MAIN, MASTER)}
    modes = {name: mode for name, before in modes_before.items() if mode is not None and mode != before}
    current = host.read_files(directory)
    journal = load_journal(directory)
    previous, warnings = _previous(current, journal)
    host.fill_copy(directory, copy, previous[MAIN], previous[MASTER])

    before = _read_as_found(copy, directory)
    instance = instances.instance(directory, before)
    names = surroundings.lookup()
    layout.refuse_missing(before, request, names)
    replaced_before = load_replaced(directory)
    replaced = replaced_overrides(before, request, replaced_before)
    asked, request = request, with_listeners(before, request, surroundings.is_own_address, replaced_before)
    changes = plan_changes(before, request)
    target = edited(previous, before, request, changes)
    main_meanwhile = edited(previous, before, request, changes, removed_last(before, changes))[MAIN]
    if changes:
        host.write_files(copy, target)
    after = _read_edited(copy, directory, changes) if changes else before
    refuse_unsound(after, request, host.known_names(copy) if after.unused else ())
    warnings += _judge(before, after, request, current[MAIN], names)
    again = with_listeners(after, asked, surroundings.is_own_address, replaced)
    prove(State(previous, before), State(target, after), request, again, changes)

    now = instance.stamp()
    live = now is not None and is_live(now, instance.applied())
    if apply == "auto":
        apply = "reload" if live and _reload_suffices(before, after, changes) else "restart"
    if journal:
        apply = max(apply, journal.apply, key=APPLY.index)
    if live and current == target and journal is None:
        apply = "none"
    prepared = Prepared(
        instance=instance,
        before=before,
        after=after,
        changes=changes,
        current=current,
        previous=previous,
        target=target,
        main_meanwhile=main_meanwhile,
        apply=apply,
        live=live,
        journal=journal,
        replaced_before=replaced_before,
        replaced=replaced,
        modes=modes,
        modes_before=modes_before,
        addresses=layout.own_addresses(request.with_header, names),
        warnings=list(dict.fromkeys(warnings)),
    )
    if prepared.changed:
        for name, text in target.items():
            if text != current[name]:
                host.refuse_fixed(instance.path(name))
        _try_out(prepared, copy, now is not None)
    return prepared


def _read_as_found(copy: str, directory: str) -> Settings:
    try:
        return host.read_settings(copy)
    except PostfixError as error:
        reason = str(error).replace(copy, directory)
        raise PostfixError(
            f"main.cf or master.cf of {directory} can not be read: {reason}. It was so before this change: correct "
            "the file first"
        ) from error


def _read_edited(copy: str, directory: str, changes: Sequence[Change]) -> Settings:
    try:
        return host.read_settings(copy)
    except PostfixError as error:
        reason = str(error).replace(copy, directory)
        raise PostfixError(f"main.cf or master.cf could not be read any more: {reason}{_culprits(changes)}") from error


def _reload_suffices(before: Settings, after: Settings, changes: list[Change]) -> bool:
    """Whether a restart would only cut sessions of other listeners: a reload cuts none of an entry that stays."""
    touched = {change.service for change in changes}
    stay = [name for name in before.entries if is_proxied(before, name) and is_proxied(after, name)]
    return not set(stay) <= touched and all(
        change.file == MASTER or change.parameter == GUIDE_PARAMETER for change in changes
    )


def _judge(before: Settings, after: Settings, request: Request, main: str, names: layout.Lookup) -> list[str]:
    """Refuse what would lose mail or relay it, as far as the settings and the host show; what else to say of them."""
    layout.refuse_ambiguous(after, request, names)
    header.refuse_wrong(after, request, main)
    said = header.inherited(after, request, main) if request.listeners else []
    for listener in request.listeners:
        preflight.refuse_teaser(after, listener)
        preflight.refuse_trusted_balancer(after, listener)
        said += preflight.unjudged_trust(after, listener)
    for listener in request.with_header:
        said += _preflight(before, after, listener, names)
    return said


def _preflight(before: Settings, after: Settings, listener: Listener, names: layout.Lookup) -> list[str]:
    """Refuse or warn for what stands around a listener that is to expect a header."""
    new = not is_proxied(before, listener.service)
    around = surroundings.surroundings(before, listener.service) if new else preflight.Surroundings()
    preflight.refuse_cut_off(before, listener, around)
    doubt = layout.reachability(after, listener, names)
    said = [doubt] if doubt and (new or listener.server_address) else []
    return said + preflight.notices(before, after, listener, around)


def _previous(current: Mapping[str, str], journal: Journal | None) -> tuple[dict[str, str], list[str]]:
    """The files to plan from, and to go back to. What somebody wrote after a cut run stays."""
    previous = dict(current)
    warnings: list[str] = []
    if journal is None:
        return previous, warnings
    for name, text in journal.previous.items():
        if text_digest(current[name]) in (text_digest(text), *journal.intended[name]):
            previous[name] = text
        else:
            warnings.append(f"a run was cut while it changed {name}, and somebody edited the file since: kept as it is")
    return previous, warnings


def _try_out(prepared: Prepared, copy: str, running: bool) -> None:
    """Let Postfix itself judge the edited copy, and tell what was wrong before from what the changes make wrong."""
    _check_directory(prepared, copy)
    _look_for_lost_addresses(prepared, running)
    _look_for_lost_ports(prepared)
    _look_for_lost_programs(prepared)
    for service, overrides in _to_try(prepared):
        _try_service(prepared, copy, service, overrides, running)
    known = places(prepared.before).values()
    for service, (address, port) in places(prepared.after).items():
        if (address, port) in known or not running:
            continue
        number = trial.port_number(port)
        # Postfix itself may hold it still: for an entry that was taken out of master.cf, and no reload has come since.
        if trial.is_port_taken(address, number) and not instances.listens(prepared.instance.master(), number):
            raise PostfixError(f"{service}: {address} port {port} is not free, and Postfix would not start")


@contextlib.contextmanager
def _previous_copy(prepared: Prepared, copy: str) -> Iterator[str]:
    """A directory with the previous files, beside the edited ones."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(copy)) as old:
        host.fill_copy(prepared.instance.directory, old, prepared.previous[MAIN], prepared.previous[MASTER])
        yield old


def _check_directory(prepared: Prepared, copy: str) -> None:
    problem = trial.check_directory(copy)
    if problem is None:
        return
    directory = prepared.instance.directory
    problem = f"postfix check refuses the configuration: {problem.replace(copy, directory)}"
    if prepared.changes:
        with _previous_copy(prepared, copy) as old:
            earlier = trial.check_directory(old) or ""
        if problem.endswith(f": {earlier.replace(old, directory)}"):
            _stood_before(prepared, problem, must_start=prepared.apply != "none")
            return
    raise PostfixError(f"{problem}{_culprits(prepared.changes)}")


def _stood_before(prepared: Prepared, problem: str, must_start: bool) -> None:
    """A fault that the changes neither make nor mend."""
    if must_start:
        raise PostfixError(
            f"{problem}. It was so before this change, which is not its cause, and Postfix would not start with it: "
            "correct that first. Nothing was written"
        )
    prepared.warnings.append(f"{problem}; it was so before this change, and Postfix would not start with it")


def _look_for_lost_addresses(prepared: Prepared, running: bool) -> None:
    """What ``postfix check`` does not look at: the master ends where an entry names an address that is gone.

    A reload keeps the sockets that are open, so only a start needs the address.
    """
    must_start = prepared.apply == "restart" or (prepared.apply == "reload" and not running)
    for service in prepared.after.entries:
        address = service.rpartition(":")[0].strip("[]")
        if service.endswith("/inet") and _is_address(address) and not surroundings.is_own_address(address):
            problem = f"master.cf: no interface of this host has the address of {service}"
            if service not in prepared.before.entries:
                raise PostfixError(f"{problem}, and Postfix would not start. Write another address")
            _stood_before(prepared, problem, must_start)


def _look_for_lost_ports(prepared: Prepared) -> None:
    """What ``postfix check`` does not look at either, and what ends the master at a reload too."""
    for service, (_address, port) in places(prepared.after).items():
        try:
            trial.port_number(port)
        except PostfixError as error:
            problem = f"master.cf: {service}: {error}"
            if service not in prepared.before.entries:
                raise PostfixError(f"{problem}. Write another port") from error
            _stood_before(prepared, problem, must_start=prepared.apply != "none")


def _look_for_lost_programs(prepared: Prepared) -> None:
    """Nor at this: the service would be there, and answer nobody."""
    directory = prepared.instance.daemon_directory
    for change in prepared.changes:
        entry = prepared.after.entries.get(change.service or "") if change.parameter is None else None
        if entry and not os.access(os.path.join(directory, entry.command), os.X_OK):
            raise PostfixError(
                f"new_services.{entry.service}.command: Postfix has no program {entry.command} in {directory}"
                f"{suggestion(entry.command, os.listdir(directory))}"
            )


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _to_try(prepared: Prepared) -> Iterator[tuple[str, Mapping[str, str]]]:
    """One smtpd service for every set of overrides there is."""
    seen: list[Mapping[str, str]] = []
    for service, entry in prepared.after.entries.items():
        if entry.command != "smtpd" or entry.overrides in seen:
            continue
        seen.append(entry.overrides)
        yield service, {name: prepared.after.expanded[service, name] for name in entry.overrides}


def _try_service(prepared: Prepared, copy: str, service: str, overrides: Mapping[str, str], running: bool) -> None:
    problem = trial.try_smtpd(prepared.after, copy, overrides, running)
    if problem is None:
        return
    before = prepared.before
    entry = before.entries.get(service)
    old = {name: before.expanded[service, name] for name in entry.overrides} if entry else {}
    mine = [change for change in prepared.changes if change.parameter and change.service in (None, service)]
    with _previous_copy(prepared, copy) as directory:
        # Another fault than before is a new one.
        if prepared.changes and trial.try_smtpd(before, directory, old, running) == problem:
            prepared.warnings.append(f"{service}: {problem}; it was so before this change")
            return
        guilty = [
            change
            for change in mine
            if change.after is not None
            and trial.try_smtpd(before, directory, {**old, str(change.parameter): change.after}, running)
        ]
    raise PostfixError(f"{service}: {problem}{_culprits(guilty or mine)}")


def _culprits(changes: Sequence[Change]) -> str:
    shown = ", ".join(
        f"{c.place} = {c.after}" if c.after is not None else f"{c.place} removed" for c in changes if c.parameter
    )
    return f". Correct: {shown}" if shown else ". Correct the file, which Postfix has not read yet"
