# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random changes of random files: each is refused with nothing written, or comes true exactly.

What was written is read by Postfix's own postconf and, line by line, by the few functions below, which share nothing
with the collection's code. Postfix itself does not run: what it says of a configuration is the matter of other tests.
``make fuzz`` tries many more.
"""

from __future__ import annotations

import collections
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import preparation, trial
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Change,
    Listener,
    PostfixError,
    Request,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.request import read_request
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.transaction import Transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from unit.plugins.module_utils.postfix.postfix_instance import is_possible
from unit.plugins.module_utils.postfix.postfix_texts import main_files, master_files, requests

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_possible(), reason="needs root and Postfix")]

EXAMPLES = int(os.environ.get("MAILOPS_FUZZ_EXAMPLES", "60"))
FILES = ("main.cf", "master.cf")
OUTCOMES: collections.Counter[str] = collections.Counter()
# Where there is such a file system, its files need no disk.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
QUEUE = "/var/spool/postfix-of-no-host"


@pytest.fixture(scope="module", autouse=True)
def _report() -> Iterator[None]:
    yield
    print("\n" + "".join(f"{count:7} {outcome}\n" for outcome, count in OUTCOMES.most_common()))


@pytest.fixture(autouse=True)
def _files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("check_directory", "try_smtpd"):
        monkeypatch.setattr(trial, name, lambda *_: None)


# An independent reader -----------------------------------------------------------------------------------------------


@dataclass
class Reading:
    """What a directory says: postconf's word for it, and the lines of the files by whom they belong to."""

    parameters: dict[str, str]
    entries: list[tuple[str, list[str]]]
    """(service, columns and arguments without overrides) in order."""
    overrides: dict[str, str]
    lines: dict[str, list[tuple[str, str]]]
    """By file, (parameter or service, line); comments and blank lines belong to nobody."""


def read(directory: Path) -> Reading:
    def postconf(*arguments: str) -> list[str]:
        done = subprocess.run(["postconf", "-c", str(directory), *arguments], capture_output=True, check=True)
        return done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]

    texts = {name: (directory / name).read_bytes().decode("utf-8", "surrogateescape") for name in FILES}
    lines = {name: list(owned(name, text)) for name, text in texts.items()}
    # "postconf -n" leaves out what nothing reads.
    values = {**written(lines["main.cf"]), **dict(line.split(" =", 1) for line in postconf("-n"))}
    entries = []
    for line in postconf("-M"):
        kept, _options = without_options(tokens(line))
        entries.append((f"{kept[0]}/{kept[1]}", kept))
    overrides = dict(line.split(" =", 1) for line in postconf("-P"))
    return Reading(plain(values), entries, plain(overrides), lines)


def written(main: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, line in main:
        if name and line.startswith(name):
            values[name] = line.partition("=")[2]
        elif name:
            values[name] += f" {line}"
    return values


def plain(values: dict[str, str]) -> dict[str, str]:
    return {name: blanks(value) for name, value in values.items()}


def blanks(value: str) -> str:
    return re.sub(r"[ \t\r\n]+", " ", value).strip(" \t\r\n\v\f")


def owned(file: str, text: str) -> Iterator[tuple[str, str]]:
    owner = ""
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        first = re.match(r"[ \t\r\v\f]*(#|$)", line)
        if first:
            yield "", line
            continue
        if not re.match(r"[ \t\r\v\f]", line):
            fields = tokens(line)
            owner = re.split(r"[\s=]", line, maxsplit=1)[0] if file == "main.cf" else "/".join(fields[:2])
        yield owner, line


def tokens(line: str) -> list[str]:
    found, depth = [""], 0
    for letter in line:
        depth = depth + 1 if letter == "{" else max(0, depth - 1) if letter == "}" else depth
        if letter in " \t\r\n" and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [token for token in found if token]


def without_options(words: list[str]) -> tuple[list[str], list[str]]:
    """postconf shows every option as ``-o name=value`` or ``-o {name=value with blanks}``."""
    kept, at = words[:8], 8
    options: list[str] = []
    while at < len(words) and re.match(r"-[^-]", words[at]):
        is_setting = words[at] == "-o" and at + 1 < len(words) and "=" in words[at + 1]
        (options if is_setting else kept).extend(words[at : at + (2 if is_setting else 1)])
        if words[at] == "-o" and not is_setting:
            kept += words[at + 1 : at + 2]
            at += 1
        at += 2 if is_setting else 1
    return kept + words[at:], options


# The property --------------------------------------------------------------------------------------------------------


@dataclass
class Host:
    directory: Path
    scratch: Path

    def files(self) -> dict[str, bytes]:
        return {name: (self.directory / name).read_bytes() for name in FILES}

    def write(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (self.directory / name).write_bytes(content)
            os.utime(self.directory / name, (1, 1))  # Postfix's programs wait for a new main.cf to settle

    def read(self, files: dict[str, bytes]) -> Reading:
        """In one and the same directory, whose name is a part of what postconf says."""
        now = self.files()
        self.write(files)
        try:
            return read(self.directory)
        finally:
            self.write(now)

    def prepare(self, request: Request) -> preparation.Prepared:
        copy = tempfile.mkdtemp(dir=self.scratch)
        return preparation.prepare(str(self.directory), request, "none", copy)

    def run(self, request: Request) -> list[Change]:
        prepared = self.prepare(request)
        assert prepared.changed == bool(prepared.plan), "a plan is a change, and without one there is none"
        if prepared.changed:
            Transaction(prepared, timeout=5).run()
        return prepared.plan


def assert_exactly(before: Reading, after: Reading, plan: list[Change]) -> None:
    """The settings are those from before plus the plan, and the lines of all others are as they were."""
    parameters, overrides = dict(before.parameters), dict(before.overrides)
    entries = dict(before.entries)
    for change in plan:
        if change.parameter is None:
            if change.after is None:
                del entries[str(change.service)]
            else:
                entries[str(change.service)] = tokens(change.after)
            continue
        values = parameters if change.service is None else overrides
        if change.after is None:
            values.pop(change.place, None)
        else:
            values[change.place] = blanks(change.after)
    assert after.parameters == parameters
    assert after.overrides == overrides
    assert dict(after.entries) == entries
    touched = {change.service for change in plan} | {change.place for change in plan if change.file == "main.cf"}
    for name in FILES:
        old, new = ([line for line in reading.lines[name] if line[0] not in touched] for reading in (before, after))
        assert new == old, name
    kept = [service for service, _entry in before.entries if service in entries]
    assert [service for service, _entry in after.entries][: len(kept)] == kept


def request_of(options: dict[str, Any]) -> Request:
    listeners = [Listener(**listener) for listener in options["listeners"]]
    return read_request(options["parameters"], options["services"], options["new_services"], listeners)


OPTIONS_OR_FILES = re.compile(r"parameters|services|proxy_listener|main\.cf|master\.cf|inet|pass|unix")


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example takes minutes, and they are short
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(main=main_files(QUEUE), master=master_files(), tasks=st.lists(requests(), min_size=1, max_size=2))
def test_a_change_is_refused_or_comes_true_exactly(main: str, master: str, tasks: list[dict[str, Any]]) -> None:
    root = Path(tempfile.mkdtemp(prefix="postfix-property-", dir=MEMORY))
    try:
        host = Host(root / "etc", root / "scratch")
        for folder in (host.directory, host.scratch):
            folder.mkdir()
        texts = {"main.cf": main, "master.cf": master}
        host.write({name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()})
        for task in tasks:
            try_task(host, task)
    finally:
        shutil.rmtree(root)


def try_task(host: Host, task: dict[str, Any]) -> None:
    files = host.files()
    refusal = ""
    try:
        request = request_of(task)
        plan = host.run(request)
    except PostfixError as error:
        refusal = str(error)
    if refusal:
        OUTCOMES[f"refused: {re.sub(r'[^ ]*[/.$=][^ ]*', '…', refusal)[:110]}"] += 1
        assert host.files() == files, "a refusal writes nothing"
        assert OPTIONS_OR_FILES.search(refusal), "a refusal names what is refused"
        return
    OUTCOMES["changed" if plan else "nothing to do"] += 1
    if not plan:
        assert host.files() == files, "without a plan no byte changes"
        return
    assert_exactly(host.read(files), host.read(host.files()), plan)
    assert host.run(request) == [], "a second run finds nothing to do"
