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
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host, trial
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.journal import (
    JOURNAL_NAME,
    REPLACED_NAME,
    Journal,
    Replaced,
    load_journal,
    text_digest,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.liveness import is_live
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    MAIN,
    MASTER,
    QUEUE_MANAGER,
    Endpoint,
    PostfixError,
    Request,
    endpoints,
    starts_by_itself,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preparation import Prepared, prepare

Step = tuple[str, Callable[[], None]]


def remember(prepared: Prepared) -> None:
    """Note what a master that nobody here started or reloaded has read, to judge a later edit by what it says."""
    now, applied = prepared.instance.stamp(), prepared.instance.applied()
    if now and now != applied and prepared.live and is_live(now, applied):
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
        self._written: set[str] = set()
        self._replaced_queue_manager: tuple[int, int] | None = None
        self.backup_files: list[str] = []
        self.warnings: list[str] = []

    def _new_journal(self) -> Journal:
        answering: list[str] = []
        mailing: list[str] = []
        if self._old_stamp and self._prepared.apply != "none":
            listeners = endpoints(self._prepared.before)
            wrong = trial.problems(listeners)
            well = [endpoint for endpoint in listeners if endpoint.service not in wrong]
            answering = [endpoint.service for endpoint in well]
            mailing = [endpoint.service for endpoint in well if not trial.mail_problem(endpoint)]
            if self._old_stamp.queue_manager and starts_by_itself(self._prepared.before, QUEUE_MANAGER):
                answering.append(QUEUE_MANAGER)
        return Journal({}, {}, "none", self._old_stamp is not None, answering, mailing)

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
        for name in (MAIN, MASTER):
            if self._is_foreign(name):
                raise PostfixError(f"{self._edited(name)}. Nothing was written")
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
                MAIN: [text_digest(prepared.main_meanwhile), text_digest(prepared.target[MAIN])],
                MASTER: [text_digest(prepared.target[MASTER])],
            },
            apply=prepared.apply,
            was_running=self._journal.was_running,
            answering=self._journal.answering,
            mailing=self._journal.mailing,
        )
        host.write_text(self._instance.path(JOURNAL_NAME), json.dumps(dataclasses.asdict(self._journal)))

    def _back_up(self) -> None:
        for name in (MAIN, MASTER):
            if self._backup and self._prepared.current[name] != self._prepared.target[name]:
                self.backup_files.append(self._backup(self._instance.path(name)))

    def _write(self, name: str, text: str) -> None:
        if self._is_foreign(name):
            raise PostfixError(self._edited(name))
        self._replace(name, text)

    def _replace(self, name: str, text: str) -> None:
        if host.read_text(self._instance.path(name)) != text:
            host.write_text(self._instance.path(name), text)
            self._written.add(name)

    def _is_foreign(self, name: str) -> bool:
        """Whether a file is neither as this change found it, nor as it writes it."""
        prepared = self._prepared
        ours = [prepared.current[name], prepared.target[name], prepared.previous[name]]
        if name == MAIN:
            ours.append(prepared.main_meanwhile)
        return host.read_text(self._instance.path(name)) not in ours

    def _edited(self, name: str) -> str:
        return f"somebody edited {self._instance.path(name)} while this change was under way: run it again"

    def _put_back(self) -> str:
        """Bring the previous files back. What somebody else wrote meanwhile is not lost; says where it is."""
        kept = []
        for name, text in self._prepared.previous.items():
            path = self._instance.path(name)
            if self._is_foreign(name):
                if name not in self._written:
                    continue
                kept.append(f"{path}.edited-{time.strftime('%Y-%m-%dT%H-%M-%S')}")
                host.write_text(kept[-1], host.read_text(path), like=path)
            self._replace(name, text)
        return f", and what somebody else wrote meanwhile is kept in {', '.join(kept)}" if kept else ""

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
            for endpoint in endpoints(self._prepared.after, self._prepared.addresses)
            if endpoint.service in touched or endpoint.service in self._journal.answering
        ]
        mailing = [endpoint for endpoint in required if endpoint.service in self._journal.mailing]
        self._wait_until_up(required, restarted=self._prepared.apply == "restart", mailing=mailing)
        self._report([endpoint for endpoint in required if endpoint not in mailing])

    def _report(self, others: Sequence[Endpoint]) -> None:
        """Say what keeps listeners from taking mail that took none before, or were not there."""
        for endpoint in others:
            problem = trial.mail_problem(endpoint)
            if problem:
                before = "it was so before this change" if endpoint.service in self._prepared.before.entries else ""
                self.warnings.append(f"{problem}; {before or 'no mail is taken there for now'}")

    def _wait_until_up(self, required: Sequence[Endpoint], restarted: bool, mailing: Sequence[Endpoint] = ()) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            now = self._instance.stamp()
            if now is None:  # nobody would start it again
                raise PostfixError("Postfix is not running after the change; the mail log says why")
            if restarted and self._old_stamp and now.master == self._old_stamp.master:
                raise PostfixError("Postfix has not been restarted: the old master process still runs")
            trouble = "; ".join(trial.problems(required).values()) or self._queue_problem()
            trouble = trouble or next(filter(None, map(trial.mail_problem, mailing)), "")
            if not trouble and self._instance.is_running():
                return
            if time.monotonic() > deadline:
                raise PostfixError(f"{trouble}{self._stood_before(required)}")
            time.sleep(0.2)

    def _stood_before(self, required: Sequence[Endpoint]) -> str:
        """What to say of listeners that did not answer before the change either."""
        there = self._prepared.before.entries if self._old_stamp else ()
        silent = [e.service for e in required if e.service in there and e.service not in self._journal.answering]
        return f". It was so before this change: {', '.join(silent)} did not answer as it should" if silent else ""

    def _queue_problem(self) -> str:
        """Reload and restart bring another queue manager, and one with a bad parameter ends."""
        if QUEUE_MANAGER not in self._journal.answering:
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
            kept = self._put_back()
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
        return f"The previous files are back{f' and Postfix {state}' if self._applying else ''}{kept}"

    def _restore_service(self) -> None:
        if self._journal.was_running:
            before_restart = self._instance.stamp()
            with contextlib.suppress(PostfixError):  # what counts is whether it runs, next
                self._instance.restart(lock=self._lock)
            now = self._instance.stamp()
            restarted = before_restart and now and before_restart.master != now.master
            self._replaced_queue_manager = before_restart.queue_manager if before_restart and restarted else None
            before = endpoints(self._prepared.before)
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
