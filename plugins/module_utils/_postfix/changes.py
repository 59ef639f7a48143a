# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The differences between what is there and what is asked for, and the files with them. Pure. Private to the
collection.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import lines
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    BLANKS,
    MAIN,
    MASTER,
    Change,
    Entry,
    PostfixError,
    Request,
    Settings,
    Values,
)


def plan_changes(before: Settings, request: Request) -> list[Change]:
    """Everything the request changes, in the order main.cf, services, new services.

    Raises PostfixError for a service that master.cf does not have.
    """
    changes = _value_changes(MAIN, None, before.parameters, request.parameters)
    for service, values in request.services.items():
        if service not in before.entries:
            raise PostfixError(
                f"services: master.cf has no entry {service}{suggestion(service, before.entries)}; "
                "add a whole entry with new_services"
            )
        changes += _value_changes(MASTER, service, before.entries[service].overrides, values)
    for service, entry in request.new_services.items():
        changes += _entry_changes(service, before.entries.get(service), entry)
    return changes


def _value_changes(file: str, service: str | None, before: Mapping[str, str], wanted: Values) -> list[Change]:
    return [
        Change(file, service, name, before.get(name), value)
        for name, value in wanted.items()
        if one_space(before.get(name)) != one_space(value)
    ]


def one_space(value: str | None) -> str | None:
    """Postfix does not care how a value is folded or spaced, so a difference in that is none."""
    return None if value is None else " ".join(re.split(r"[ \t\r\n]+", value.strip(BLANKS)))


def _entry_changes(service: str, before: Entry | None, wanted: Entry | None) -> list[Change]:
    old_line = before.line() if before else None
    new_line = wanted.line() if wanted else None
    changes = [Change(MASTER, service, None, old_line, new_line)] if old_line != new_line else []
    old = before.overrides if before else {}
    new = wanted.overrides if wanted else {}
    return changes + _value_changes(MASTER, service, old, {name: new.get(name) for name in {**old, **new}})


def suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.8)
    return f" (did you mean {close[0]}?)" if close else ""


def touched_entries(before: Settings, request: Request, changes: Iterable[Change]) -> dict[str, Entry | None]:
    """The entries of master.cf that the changes write, as they are to be; None for one that goes."""
    touched = dict.fromkeys(change.service for change in changes if change.service)
    return {
        service: request.new_services[service]
        if service in request.new_services
        else with_overrides(before.entries[service], request.services[service])
        for service in touched
    }


def main_values(changes: Iterable[Change]) -> Values:
    """What the changes make of main.cf."""
    return {change.place: change.after for change in changes if change.file == MAIN}


def edited(
    files: Mapping[str, str], before: Settings, request: Request, changes: list[Change], late: Collection[str] = ()
) -> dict[str, str]:
    """The files with the changes made, without the removals of ``late``.

    Raises PostfixError for a file or an entry that can not be edited without harm.
    """
    values = {name: value for name, value in main_values(changes).items() if name not in late}
    entries = touched_entries(before, request, changes)
    lines.refuse_misread(files[MASTER], request.services.keys() | request.new_services.keys())
    for file, touched in ((MAIN, values.keys()), (MASTER, entries.keys())):
        lines.refuse_unsafe(file, files[file], touched)
    for entry in entries.values():
        if entry:
            lines.refuse_unwritable(entry)
    parameters = {name: None if value is None else lines.parameter_line(name, value) for name, value in values.items()}
    services = {service: None if entry is None else lines.entry_lines(entry) for service, entry in entries.items()}
    return {MAIN: lines.edit(MAIN, files[MAIN], parameters), MASTER: lines.edit(MASTER, files[MASTER], services)}


def with_overrides(entry: Entry, changes: Values) -> Entry:
    """The entry with these overrides set, and without those that are None."""
    overrides = {**entry.overrides, **changes}
    return replace(entry, overrides={name: value for name, value in overrides.items() if value is not None})


def removed_last(before: Settings, changes: list[Change]) -> list[str]:
    """The names to take out of main.cf only when the new master.cf is live.

    smtpd reads main.cf whenever a process starts, and master.cf only tells it so after a reload: while the old entry
    still says ``$some_name`` the old definition has to stay. Nothing reads such a name afterwards.
    """
    used = {name for entry in before.entries.values() for name in references(entry.overrides.values())}
    return [c.place for c in changes if c.file == MAIN and c.after is None and c.place in used]


def references(values: Iterable[str]) -> set[str]:
    return {name for value in values for name in re.findall(r"\$[({]?([A-Za-z_][A-Za-z0-9_.:-]*)", value)}
