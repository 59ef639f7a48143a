# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists: filters, any order, and bulk answers, which are pages of whole objects instead of ids."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from .call import Call
from .errors import ApiError
from .state import Page

BULK = "CachedObjectList-Pages"
PAGE_SIZE = 1000  # unless X-Pagination-Size says more
Conditions = dict[str, tuple[str, str, str]]


def listed(call: Call, objects: dict[Any, Any], known: dict[str, str] | None = None) -> list[Any]:
    """Ids of the objects that the query asks for, or a page of them as they are. ``known``: see Resource.filters."""
    conditions = filters(call, known or {})
    found = {id_: shown for id_, shown in objects.items() if fits(conditions, shown)}
    if is_bulk(call):
        return page(call, lambda: [found[id_] for id_ in call.sim.shuffled(list(found))])
    return call.sim.shuffled(list(found))


def filters(call: Call, known: dict[str, str]) -> Conditions:
    """Query parameters as name -> (field, operator, text)."""
    query = call.query
    unknown = [name for name in query if name not in known]
    if unknown:
        raise ApiError(400, f"Received not described parameters: ({', '.join(unknown)})")
    return {name: (name.partition(".")[0], known[name], text) for name, text in query.items()}


def fits(conditions: Conditions, values: dict[str, Any]) -> bool:
    return all(matches(operator, values[field], text) for field, operator, text in conditions.values())


def matches(operator: str, value: Any, wanted: str) -> bool:
    """``=``, ``like`` (with % as its wildcard), and ``<``, ``>=``, ``<=`` for dates."""
    text = "" if value is None else str(value)
    if operator == "=":
        return text == wanted
    if operator == "like":
        pattern = ".*".join(re.escape(part) for part in wanted.split("%"))
        return re.fullmatch(pattern, text) is not None
    if value is None:
        return False
    one, other = moment(text), moment(wanted)
    return {"<": one < other, ">=": one >= other, "<=": one <= other}[operator]


def moment(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(400, f"Given data ({text}) is not valid for type datetime") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


# Bulk answers


def is_bulk(call: Call) -> bool:
    """Whether this list is answered with objects. Switch ``bulk_lists`` says what becomes of the wish."""
    handling = call.sim.switches["bulk_lists"]
    if call.request.headers.get("X-Pagination-Mode") != BULK or handling == "ids":
        return False
    if handling == "refused":
        raise ApiError(400, f"[X-Pagination-Mode] enum Given data ({BULK}) is not valid")
    return True


def page(call: Call, objects: Callable[[], list[Any]]) -> list[Any]:
    found = cached(call, objects)
    call.request.state.headers["X-Pagination-Elements"] = str(len(found))
    size = _positive(call, "X-Pagination-Size", PAGE_SIZE)
    number = _positive(call, "X-Pagination-Number", 1)
    return found[(number - 1) * size : number * size]


def cached(call: Call, objects: Callable[[], list[Any]]) -> list[Any]:
    """What the service takes for the whole list: now, a while ago, or as much of it as it likes to tell."""
    sim = call.sim
    handling = sim.switches["bulk_lists"]
    if handling == "cut":
        return objects()[: sim.switches.number("bulk_cut")]
    no_cache = call.request.headers.get("Pragma") == "no-cache"
    if handling == "fresh" or (handling == "stale" and no_cache):
        return objects()
    key = f"{call.request.url.path}?{call.request.url.query}"
    now = time.monotonic()
    kept = sim.state.pages.get(key)
    if kept is None or kept.read <= now - sim.switches.number("bulk_stale_seconds"):
        kept = sim.state.pages[key] = Page(now, objects())
    return kept.objects


def _positive(call: Call, header: str, default: int) -> int:
    text = call.request.headers.get(header, str(default))
    if not text.isdigit() or int(text) < 1:
        raise ApiError(400, f"[{header}] long Given data ({text}) is not valid for type long")
    return int(text)
