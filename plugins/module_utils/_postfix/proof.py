# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of a plan on the edited copy: it has come true, and nothing else has. Pure. Private to the collection.

It does not trust the edit: it compares what postconf reads from the files before and after, and their lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import lines
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import (
    main_values,
    one_space,
    plan_changes,
    touched_entries,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import listener_services
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUIDE_REFERENCE,
    MAIN,
    MASTER,
    Change,
    Entry,
    PostfixError,
    Request,
    Settings,
)


@dataclass(frozen=True)
class State:
    """The files of one configuration directory, and what postconf reads from them."""

    files: Mapping[str, str]
    settings: Settings


def prove(before: State, after: State, request: Request, again: Request, changes: list[Change]) -> None:
    """Raise unless ``after`` is ``before`` with exactly these changes, and with what the request asks for.

    :param request: with what its listener comes down to.
    :param again: the same, for the files as they are afterwards.
    """
    wrong = list(dict.fromkeys(_differences(before, after, request, again, changes)))
    if wrong:
        raise PostfixError(
            "the edited copy is not the configuration with exactly the planned changes, so nothing was written: "
            f"{'; '.join(wrong[:5])}. Look there for something unusual in main.cf or master.cf, and write it plainly"
        )


def _differences(before: State, after: State, request: Request, again: Request, changes: list[Change]) -> Iterator[str]:
    for change in (*plan_changes(after.settings, request), *plan_changes(after.settings, again)):
        yield f"{change.place} is {_shown(change.before)}, not {_shown(change.after)}"
    yield from _other_parameters(before.settings, after.settings, changes)
    yield from _other_entries(before.settings, after.settings, request, changes)
    yield from _other_lines(before, after, changes)
    yield from _guard(after.settings, request)


def _shown(value: str | None) -> str:
    return "not there" if value is None else repr(value)


def _other_parameters(before: Settings, after: Settings, changes: list[Change]) -> Iterator[str]:
    wanted = {**before.parameters, **main_values(changes)}
    for name in sorted({*wanted, *after.parameters}):
        value, found = wanted.get(name), after.parameters.get(name)
        if one_space(value) != one_space(found):
            yield f"main.cf has another value of {name} than planned"


def _other_entries(before: Settings, after: Settings, request: Request, changes: list[Change]) -> Iterator[str]:
    wanted: dict[str, Entry] = dict(before.entries)
    for service, entry in touched_entries(before, request, changes).items():
        if entry is None:
            wanted.pop(service, None)
        else:
            wanted[service] = entry
    for service in wanted.keys() | after.entries.keys():
        if service not in after.entries or service not in wanted:
            yield f"entry {service} is {'there' if service in after.entries else 'not there'}"
        elif _meaning(wanted[service]) != _meaning(after.entries[service]):
            yield f"entry {service} is another than planned"
    if list(wanted) != list(after.entries):
        yield "the entries of master.cf stand in another order"


def _meaning(entry: Entry) -> tuple[str, dict[str, str | None]]:
    return entry.line(), {name: one_space(value) for name, value in entry.overrides.items()}


def _other_lines(before: State, after: State, changes: list[Change]) -> Iterator[str]:
    """What stands outside the plan stays as it is written, comments included."""
    touched = {
        MAIN: {change.place for change in changes if change.file == MAIN},
        MASTER: {change.service for change in changes if change.service},
    }
    for file, names in touched.items():
        old, new = (lines.untouched(file, state.files[file], names) for state in (before, after))
        if old != new:
            yield f"{file} has other lines outside the plan"


def _guard(after: Settings, request: Request) -> Iterator[str]:
    """The listeners and their guards, with every $name expanded: what the programs will see."""
    for listener in request.with_header:
        entry = after.entries.get(listener.service)
        for service, values in (listener_services(after, entry, listener) if entry else {}).items():
            for name, value in values.items():
                wanted = "haproxy" if value == GUIDE_REFERENCE else value
                found = after.expanded.get((service, name))
                if one_space(found) != one_space(wanted):
                    yield f"the guard's {service}/{name} is {_shown(found)}, not {_shown(wanted)}"
