# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a plan that was made from bulk reads may be carried out: single reads against what they said. Private to the
collection.

A stale list must neither make a duplicate, nor a false "does not exist", nor write over what somebody else changed.
"""

from __future__ import annotations

import random
import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import (
    ApiError,
    ForeignChanges,
    InvalidInput,
    IplbError,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Absence, Operation, Plan, Ref
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import BY_KIND
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Reader, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import from_api

_Item = t.TypeVar("_Item")
_Result = t.TypeVar("_Result")

SAMPLE_SHARE = 100
SAMPLE_LIMIT = 5


def is_confirmed(plan: Plan, snapshot: Snapshot, reader: Reader) -> bool:
    """Whether single reads say what the bulk reads of the snapshot said, as far as the plan is built on it."""
    touched = {(item.resource.kind, item.protocol, item.id) for item in plan.operations if item.action != "create"}
    touched |= _leaned_on(plan)
    every = [item for items in snapshot.objects.values() for item in items]
    due = [item for item in every if (item.resource.kind, *item.identity) in touched]
    about = _spoken_of(plan)
    rest = [item for item in every if (item.resource.kind, *item.identity) in about - touched]
    due += _sample(rest)
    # A task that asks for one address takes what it gets for the only one.
    asked = {Absence(kind, protocol, parent_id or 0) for kind, protocol, parent_id in snapshot.filtered}
    return _lists_are_whole(plan.absences | plan.twins | asked, snapshot, reader) and _are_as_read(due, reader)


def beyond_doubt(reader: Reader, attempt: t.Callable[[], _Result]) -> _Result:
    """What an attempt comes to; with single reads alone, where old lists may be all that makes it fail."""
    try:
        return attempt()
    except (InvalidInput, ApiError) as error:
        if not (reader.lists.used and _may_be_stale(error)):
            raise
    reader.lists.distrust()
    return attempt()


def _may_be_stale(error: IplbError) -> bool:
    """Whether it may be said of what is missing from an old list, or is gone although one names it."""
    if isinstance(error, ApiError):
        return error.status == 404
    return not isinstance(error, ForeignChanges)


def _leaned_on(plan: Plan) -> set[tuple[str, str, int | None]]:
    """What the writes happen in or lead to: it was found by its name, which another one may have by now."""
    values = [value for item in plan.operations for value in item.values.values()]
    parts = [part for value in values for part in (value.values() if isinstance(value, dict) else [value])]
    refs = [item for item in (*parts, *(item.parent for item in plan.operations)) if isinstance(item, Ref)]
    return {(ref.kind, ref.protocol, ref.id) for ref in refs if ref.id}


def _spoken_of(plan: Plan) -> set[tuple[str, str, int | None]]:
    """What the task names, and the children of that: of these a few are looked at, whatever else the service has."""
    named = {end.ref for end in plan.ends if end.named}
    return {(end.resource.kind, end.protocol, end.id) for end in plan.ends if end.named or end.parent in named}


def sample_agrees(
    resource: Resource, owners: t.Sequence[tuple[str, int | None]], items: t.Sequence[Observed], reader: Reader
) -> bool:
    """Whether a few lists that were read in bulk, and a few of their objects, are the same when they are read singly.

    Nothing else proves them here, so where there are no more than a few lists, it is all of them.

    :param owners: protocol and parent of each list.
    """
    lists = [(resource, *owner) for owner in _sample(owners, least=SAMPLE_LIMIT)]
    known = [
        sorted(item.id for item in items if (item.protocol, item.parent_id) == (protocol, parent_id))
        for _resource, protocol, parent_id in lists
    ]
    return reader.ids(lists) == known and _are_as_read(_sample(items), reader)


def _sample(items: t.Sequence[_Item], least: int = 1) -> list[_Item]:
    """A few taken at random, so that nothing is built on a stale cache for long."""
    number = min(len(items), SAMPLE_LIMIT, max(least, len(items) // SAMPLE_SHARE))
    return random.sample(list(items), number)


def _lists_are_whole(absences: t.Iterable[Absence], snapshot: Snapshot, reader: Reader) -> bool:
    """Absence is proved by the plain list: it must hold just the ids of the bulk answer."""
    owners = [(BY_KIND[item.kind], item.protocol, item.parent_id or None) for item in sorted(absences)]
    known = [sorted(item.id for item in snapshot.children(*owner)) for owner in owners]
    return reader.ids(owners, snapshot.filtered) == known


def _are_as_read(items: t.Sequence[Observed], reader: Reader) -> bool:
    answers = reader.singly(items)
    return all(
        answer is not None and from_api(item.resource, item.protocol, answer) == item.values
        for item, answer in zip(items, answers)
    )


def peers_of(operations: t.Iterable[Operation], resource: Resource, snapshot: Snapshot) -> list[Observed]:
    """The siblings of what is changed or deleted."""
    parents = {
        (item.protocol, item.parent.id if item.parent else None)
        for item in operations
        if item.resource == resource and item.action != "create"
    }
    return [item for item in snapshot.of(resource) if (item.protocol, item.parent_id) in parents]
