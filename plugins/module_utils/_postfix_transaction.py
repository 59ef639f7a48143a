# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of a Postfix configuration: all of it, or nothing. Private to the collection.

``prepare`` reads, plans and tries everything out on a copy, and touches nothing. ``Transaction`` then carries it out in
named steps. Before the first of them the previous files go into a journal beside main.cf, and it stays until the last:

* A step that fails puts the previous files back, and Postfix runs as before.
* A run that is cut (kill, power) leaves the journal. The next run plans from the files in it rather than from the
  half-written ones, so it finishes the change or, when it asks for something else, undoes it.

Between any two steps the host serves mail as before or as declared: master.cf decides which listener expects a header
and who is trusted behind it, Postfix reads it only on reload or restart, and then all of it at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.mailops.ovh_iplb.plugins.module_utils import _postfix as postfix
from ansible_collections.mailops.ovh_iplb.plugins.module_utils import _postfix_host as host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils import _postfix_preflight as preflight
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import (
    MAIN,
    MASTER,
    Change,
    PostfixError,
    Request,
    Settings,
)

JOURNAL_NAME = ".mailops.ovh_iplb.journal"
# The overrides that stood where a listener put its own. It is there as long as there are any.
REPLACED_NAME = ".mailops.ovh_iplb.replaced"
# How strong each way is to make Postfix see its files.
APPLY = ("none", "reload", "restart")

Step = tuple[str, Callable[[], None]]
Replaced = Mapping[str, postfix.Values]


@dataclass
class Journal:
    """What a cut run leaves for the next one."""

    previous: Mapping[str, str]
    """The files from before, by name."""
    intended: Mapping[str, Sequence[str]]
    """Digests of what the run was to write, by name."""
    apply: str
    was_running: bool
    answering: Sequence[str]
    """The listeners that answered as they should before the run, and the queue manager if it ran."""


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def load_replaced(directory: str) -> Replaced:
    path = os.path.join(directory, REPLACED_NAME)
    try:
        data: Replaced = json.loads(host.read_text(path))
        return data
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PostfixError(f"{path} can not be understood: remove it, and what it held will not be put back") from error


def load_journal(directory: str) -> Journal | None:
    path = os.path.join(directory, JOURNAL_NAME)
    try:
        data: dict[str, Any] = json.loads(host.read_text(path))
        return Journal(**data)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise PostfixError(
            f"{path} can not be understood: compare main.cf and master.cf with a backup, then remove it"
        ) from error


@dataclass
class Prepared:
    """A plan that has been tried out, with all that carrying it out takes."""

    instance: host.Instance
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
            Change(name, None, postfix.MODE, f"{self.modes_before[name]:04o}", f"{mode:04o}")
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
    instance = host.instance(directory, before)
    replaced_before = load_replaced(directory)
    replaced = postfix.replaced_overrides(before, request, replaced_before)
    request = postfix.with_listener(before, request, host.is_own_address, replaced_before)
    changes = postfix.plan_changes(before, request)
    late = postfix.removed_last(before, changes)
    for call in postfix.edits(before, request, changes, late):
        host.edit_copy(copy, *call)
    main_meanwhile = host.read_text(os.path.join(copy, MAIN))
    if late:
        host.edit_copy(copy, "-X", *late)
    target = {name: host.read_text(os.path.join(copy, name)) for name in (MAIN, MASTER)}
    after = host.read_settings(copy) if changes else before
    postfix.refuse_unsound(after, request, host.known_names(copy) if after.unused else ())
    warnings += _preflight(before, after, request.listener)

    now = instance.stamp()
    live = now is not None and postfix.is_live(now, instance.applied())
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


def _preflight(before: Settings, after: Settings, listener: postfix.Listener | None) -> list[str]:
    """Refuse or warn for what stands around a listener that is to expect a header."""
    if listener is None or not listener.enabled:
        return []
    new = not postfix.is_proxied(before, listener.service)
    around = host.surroundings(before, listener.service) if new else preflight.Surroundings()
    preflight.refuse(before, after, listener, around)
    return preflight.notices(before, after, listener, around)


def remember(prepared: Prepared) -> None:
    """Note what a master that nobody here started or reloaded has read, to judge a later edit by what it says."""
    now, applied = prepared.instance.stamp(), prepared.instance.applied()
    if now and now != applied and prepared.live and postfix.is_live(now, applied):
        with contextlib.suppress(OSError):  # there was nothing to do, and so nothing to fail at
            prepared.instance.record(now)


def undo_cut_run(directory: str, timeout: float, lock: int | None = None) -> bool:
    """Undo what a cut run left, when this run can not go on. False: there was nothing to undo, or it failed too."""
    try:
        if load_journal(directory) is None:
            return False
        with tempfile.TemporaryDirectory() as copy:
            prepared = prepare(directory, Request(), "none", copy)
        Transaction(prepared, timeout, lock=lock).run()
    except (PostfixError, OSError):
        return False
    return True


def _previous(current: Mapping[str, str], journal: Journal | None) -> tuple[dict[str, str], list[str]]:
    """The files to plan from, and to go back to. What somebody wrote after a cut run stays."""
    previous = dict(current)
    warnings: list[str] = []
    if journal is None:
        return previous, warnings
    for name, text in journal.previous.items():
        if _text_digest(current[name]) in (_text_digest(text), *journal.intended[name]):
            previous[name] = text
        else:
            warnings.append(f"a run was cut while it changed {name}, and somebody edited the file since: kept as it is")
    return previous, warnings


def _try_out(prepared: Prepared, copy: str, running: bool) -> None:
    """Let Postfix itself judge the edited copy."""
    problem = host.check_directory(copy)
    if problem:
        raise PostfixError(f"postfix check refuses the configuration: {problem}{_culprits(prepared.changes)}")
    for service, overrides in _to_try(prepared):
        _try_service(prepared, copy, service, overrides, running)
    known = {(endpoint.address, endpoint.port) for endpoint in postfix.endpoints(prepared.before)}
    for endpoint in postfix.endpoints(prepared.after):
        if (endpoint.address, endpoint.port) in known or not running:
            continue
        port = host.port_number(endpoint.port)
        # Postfix itself may hold it still: for an entry that was taken out of master.cf, and no reload has come since.
        if host.is_port_taken(endpoint.address, port) and not host.listens(prepared.instance.master(), port):
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
    problem = host.try_smtpd(prepared.after, copy, overrides, running)
    if problem is None:
        return
    entry = before.entries.get(service)
    old = {name: before.expanded[service, name] for name in entry.overrides} if entry else {}
    if prepared.changes and host.try_smtpd(before, directory, old, running):
        prepared.warnings.append(f"{service}: {problem}; it was so before this change")
        return
    mine = [change for change in prepared.changes if change.parameter and change.service in (None, service)]
    guilty = [
        change
        for change in mine
        if change.after is not None
        and host.try_smtpd(before, directory, {**old, str(change.parameter): change.after}, running)
    ]
    raise PostfixError(f"{service}: {problem}{_culprits(guilty or mine)}")


def _culprits(changes: Sequence[Change]) -> str:
    shown = ", ".join(
        f"{c.place} = {c.after}" if c.after is not None else f"{c.place} removed" for c in changes if c.parameter
    )
    return f". Correct: {shown}" if shown else ". Correct the file, which Postfix has not read yet"


class Transaction:
    """Carries out what ``prepare`` found."""

    def __init__(
        self,
        prepared: Prepared,
        timeout: float,
        backup: Callable[[str], str] | None = None,
        lock: int | None = None,
    ) -> None:
        self._prepared = prepared
        self._instance = prepared.instance
        self._timeout = timeout
        self._backup = backup
        self._lock = lock
        self._old_stamp = self._instance.stamp()
        self._journal = prepared.journal or self._new_journal()
        self._applying = False
        self._replaced_queue_manager: tuple[int, int] | None = None
        self.backup_files: list[str] = []

    def _new_journal(self) -> Journal:
        answering: list[str] = []
        if self._old_stamp and self._prepared.apply != "none":
            endpoints = postfix.endpoints(self._prepared.before)
            wrong = host.problems(endpoints)
            answering = [endpoint.service for endpoint in endpoints if endpoint.service not in wrong]
            if self._old_stamp.queue_manager and postfix.starts_by_itself(self._prepared.before, postfix.QUEUE_MANAGER):
                answering.append(postfix.QUEUE_MANAGER)
        return Journal({}, {}, "none", self._old_stamp is not None, answering)

    def steps(self) -> list[Step]:
        """The steps in order. A cut between any two of them is what the journal is for."""
        prepared = self._prepared
        steps: list[Step] = [("journal", self._write_journal)]
        # What is replaced is kept before it goes, and forgotten after it has come back.
        both = {**prepared.replaced_before, **prepared.replaced}
        if both != prepared.replaced_before:
            steps += [("keep", lambda: self._keep(both))]
        if prepared.modes:
            steps += [("mode", lambda: self._set_modes(prepared.modes))]
        if prepared.current != prepared.target:
            steps += [
                ("backup", self._back_up),
                (MAIN, lambda: self._write(MAIN, prepared.main_meanwhile)),
                (MASTER, lambda: self._write(MASTER, prepared.target[MASTER])),
            ]
        if prepared.apply != "none":
            steps += [(prepared.apply, self._apply), ("prove", self._prove)]
        if prepared.main_meanwhile != prepared.target[MAIN]:
            steps += [("leftovers", lambda: self._write(MAIN, prepared.target[MAIN]))]
        # New permissions are a change of the files too, though not of what Postfix has read.
        if prepared.apply != "none" or (prepared.live and prepared.current == prepared.target):
            steps += [("record", lambda: self._record(prepared.target))]
        if prepared.replaced != both:
            steps += [("forget", lambda: self._keep(prepared.replaced))]
        return [*steps, ("close", self._close)]

    def run(self) -> None:
        """All steps; on any failure the previous files return and Postfix runs as before."""
        with _uninterrupted():
            try:
                for _name, step in self.steps():
                    step()
            except (PostfixError, OSError) as error:
                raise PostfixError(f"{error}. {self._roll_back()}") from error

    def _write_journal(self) -> None:
        prepared = self._prepared
        self._journal = Journal(
            previous=dict(prepared.previous),
            intended={
                MAIN: [_text_digest(prepared.main_meanwhile), _text_digest(prepared.target[MAIN])],
                MASTER: [_text_digest(prepared.target[MASTER])],
            },
            apply=prepared.apply,
            was_running=self._journal.was_running,
            answering=self._journal.answering,
        )
        host.write_text(self._instance.path(JOURNAL_NAME), json.dumps(dataclasses.asdict(self._journal)))

    def _back_up(self) -> None:
        for name in (MAIN, MASTER):
            if self._backup and self._prepared.current[name] != self._prepared.target[name]:
                self.backup_files.append(self._backup(self._instance.path(name)))

    def _write(self, name: str, text: str) -> None:
        if host.read_text(self._instance.path(name)) != text:
            host.write_text(self._instance.path(name), text)

    def _set_modes(self, modes: Mapping[str, int]) -> None:
        for name, mode in modes.items():
            os.chmod(self._instance.path(name), mode)

    def _keep(self, replaced: Replaced) -> None:
        path = self._instance.path(REPLACED_NAME)
        if replaced:
            host.write_text(path, json.dumps(replaced))
        else:
            host.remove(path)

    def _apply(self) -> None:
        self._applying = True
        self._replaced_queue_manager = self._instance.queue_manager()
        if self._prepared.apply == "reload" and self._instance.is_running():
            self._instance.reload()
        else:
            self._instance.restart(self._prepared.previous if self._journal.was_running else None, self._lock)

    def _prove(self) -> None:
        """Up means a master process (a new one after a restart) and listeners that answer, not systemd's word."""
        touched = {change.service for change in self._prepared.changes}
        required = [
            endpoint
            for endpoint in postfix.endpoints(self._prepared.after)
            if endpoint.service in touched or endpoint.service in self._journal.answering
        ]
        self._wait_until_up(required, restarted=self._prepared.apply == "restart")

    def _wait_until_up(self, required: Sequence[postfix.Endpoint], restarted: bool) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            now = self._instance.stamp()
            if now is None:  # nobody would start it again
                raise PostfixError("Postfix is not running after the change; the mail log says why")
            if restarted and self._old_stamp and now.master == self._old_stamp.master:
                raise PostfixError("Postfix has not been restarted: the old master process still runs")
            trouble = "; ".join(host.problems(required).values()) or self._queue_problem()
            if not trouble and self._instance.is_running():
                return
            if time.monotonic() > deadline:
                raise PostfixError(trouble)
            time.sleep(0.2)

    def _queue_problem(self) -> str:
        """Reload and restart bring another queue manager, and one with a bad parameter ends."""
        if postfix.QUEUE_MANAGER not in self._journal.answering:
            return ""
        if self._instance.queue_manager() not in (None, self._replaced_queue_manager):
            return ""
        return "the queue manager does not run with it, so no mail would go on; the mail log says why"

    def _record(self, applied: Mapping[str, str]) -> None:
        """Remember what the running master has, unless somebody has edited it meanwhile."""
        now = self._instance.stamp()
        if now and all(host.read_text(self._instance.path(name)) == text for name, text in applied.items()):
            self._instance.record(now)

    def _close(self) -> None:
        self._instance.forget_previous()  # those of a cut run
        host.remove(self._instance.path(JOURNAL_NAME))

    def _roll_back(self) -> str:
        """Undo, and say how that went. Where it fails the journal stays, and the next run tries again."""
        try:
            for name, text in self._prepared.previous.items():
                self._write(name, text)
            self._keep(self._prepared.replaced_before)
            self._set_modes({name: self._prepared.modes_before[name] for name in self._prepared.modes})
            if self._applying:
                self._restore_service()
            if self._applying or self._prepared.live:
                self._record(self._prepared.previous)
            self._close()
        except (PostfixError, OSError) as error:
            return f"The previous configuration could not be brought back ({error}); the next run will try again"
        state = "runs as before" if self._journal.was_running else "is stopped, as before"
        return f"The previous files are back and Postfix {state}" if self._applying else "The previous files are back"

    def _restore_service(self) -> None:
        if self._journal.was_running:
            before_restart = self._instance.stamp()
            with contextlib.suppress(PostfixError):  # what counts is whether it runs, next
                self._instance.restart(lock=self._lock)
            now = self._instance.stamp()
            restarted = before_restart and now and before_restart.master != now.master
            self._replaced_queue_manager = before_restart.queue_manager if before_restart and restarted else None
            before = postfix.endpoints(self._prepared.before)
            self._wait_until_up([e for e in before if e.service in self._journal.answering], restarted=False)
        elif self._instance.is_running():
            self._instance.stop()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A lost connection or an interrupt does not stop half-way. Programs started meanwhile get the default back."""
    signals = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
