# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of a Postfix configuration, planned and tried out on a copy. Private to the collection."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import (
    guard_host,
    host,
    preflight,
    surroundings,
    trial,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import instance as instances
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import edits, plan_changes, removed_last
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.journal import (
    Journal,
    Replaced,
    load_journal,
    load_replaced,
    text_digest,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import (
    replaced_overrides,
    with_listener,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.liveness import is_live
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    MAIN,
    MASTER,
    MODE,
    Change,
    Listener,
    PostfixError,
    Request,
    Settings,
    endpoints,
    is_proxied,
)
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
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.current != self.target or self.apply != "none" or self.journal is not None or bool(self.modes)

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
    current = {name: host.read_text(os.path.join(directory, name)) for name in (MAIN, MASTER)}
    journal = load_journal(directory)
    previous, warnings = _previous(current, journal)
    host.fill_copy(directory, copy, previous[MAIN], previous[MASTER])

    before = host.read_settings(copy)
    instance = instances.instance(directory, before)
    replaced_before = load_replaced(directory)
    replaced = replaced_overrides(before, request, replaced_before)
    request = with_listener(before, request, surroundings.is_own_address, replaced_before)
    changes = plan_changes(before, request)
    late = removed_last(before, changes)
    for call in edits(before, request, changes, late):
        host.edit_copy(copy, *call)
    main_meanwhile = host.read_text(os.path.join(copy, MAIN))
    if late:
        host.edit_copy(copy, "-X", *late)
    target = {name: host.read_text(os.path.join(copy, name)) for name in (MAIN, MASTER)}
    after = host.read_settings(copy) if changes else before
    refuse_unsound(after, request, host.known_names(copy) if after.unused else ())
    warnings += _preflight(before, after, request.listener)

    now = instance.stamp()
    live = now is not None and is_live(now, instance.applied())
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
        warnings=warnings,
    )
    if prepared.changed:
        _try_out(prepared, copy, now is not None)
    return prepared


def _preflight(before: Settings, after: Settings, listener: Listener | None) -> list[str]:
    """Refuse or warn for what stands around a listener that is to expect a header."""
    if listener is None or not listener.enabled:
        return []
    new = not is_proxied(before, listener.service)
    around = surroundings.surroundings(before, listener.service) if new else preflight.Surroundings()
    preflight.refuse(before, after, listener, around)
    return preflight.notices(before, after, listener, around)


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
    """Let Postfix itself judge the edited copy."""
    problem = trial.check_directory(copy)
    if problem:
        raise PostfixError(f"postfix check refuses the configuration: {problem}{_culprits(prepared.changes)}")
    for service, overrides in _to_try(prepared):
        _try_service(prepared, copy, service, overrides, running)
    known = {(endpoint.address, endpoint.port) for endpoint in endpoints(prepared.before)}
    for endpoint in endpoints(prepared.after):
        if (endpoint.address, endpoint.port) in known or not running:
            continue
        port = guard_host.port_number(endpoint.port)
        # Postfix itself may hold it still: for an entry that was taken out of master.cf, and no reload has come since.
        if trial.is_port_taken(endpoint.address, port) and not instances.listens(prepared.instance.master(), port):
            raise PostfixError(
                f"{endpoint.service}: {endpoint.address} port {endpoint.port} is not free, and Postfix would not start"
            )


def _to_try(prepared: Prepared) -> Iterator[tuple[str, Mapping[str, str]]]:
    """One smtpd service for every set of overrides there is."""
    seen: list[Mapping[str, str]] = []
    for service, entry in prepared.after.entries.items():
        if entry.command != "smtpd" or entry.overrides in seen:
            continue
        seen.append(entry.overrides)
        yield service, {name: prepared.after.expanded[service, name] for name in entry.overrides}


def _try_service(prepared: Prepared, copy: str, service: str, overrides: Mapping[str, str], running: bool) -> None:
    directory, before = prepared.instance.directory, prepared.before
    problem = trial.try_smtpd(prepared.after, copy, overrides, running)
    if problem is None:
        return
    entry = before.entries.get(service)
    old = {name: before.expanded[service, name] for name in entry.overrides} if entry else {}
    if prepared.changes and trial.try_smtpd(before, directory, old, running):
        prepared.warnings.append(f"{service}: {problem}; it was so before this change")
        return
    mine = [change for change in prepared.changes if change.parameter and change.service in (None, service)]
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
