# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The differences between what is there and what is asked for, and the edits that make them. Pure. Private to the
collection.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    MAIN,
    MASTER,
    Change,
    Entry,
    PostfixError,
    Request,
    Settings,
    Values,
    split_override,
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
        if _one_space(before.get(name)) != _one_space(value)
    ]


def _one_space(value: str | None) -> str | None:
    """Postfix does not care how a value is folded or spaced, so a difference in that is none."""
    return None if value is None else " ".join(value.split())


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


def edits(before: Settings, request: Request, changes: list[Change], late: list[str]) -> list[list[str]]:
    """The ``postconf`` calls (arguments) that carry out the changes on a copy, without the removals of ``late``."""
    whole = set(request.new_services)
    in_main = {change.place: change.after for change in changes if change.file == MAIN}
    in_services = {change.place: change.after for change in changes if change.service and change.service not in whole}
    # "postconf -Pe does not accept whitespace in parameter value": such an override is written with its whole entry.
    spaced = {place for place, value in in_services.items() if value and re.search(r"\s", value)}
    calls = [
        ["-e", *(f"{name}={value}" for name, value in in_main.items() if value is not None)],
        ["-X", *(name for name, value in in_main.items() if value is None and name not in late)],
        ["-PX", *(place for place, value in in_services.items() if value is None)],
        ["-Pe", *(f"{p}={value}" for p, value in in_services.items() if value is not None and p not in spaced)],
    ]
    for service in sorted({split_override(place)[0] for place in spaced}):
        calls.append(["-Me", with_overrides(before.entries[service], request.services[service]).definition()])
    for service in sorted({change.service for change in changes if change.service in whole}):
        wanted = request.new_services[service]
        calls.append(["-Me", wanted.definition()] if wanted else ["-MX", service])
    return [call for call in calls if len(call) > 1]


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
