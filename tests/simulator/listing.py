# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists: filters, any order, and expanded pages of objects."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from .call import Call
from .errors import ApiError

EXPANDED = "CachedObjectList-Pages"


def matches(operator: str, value: Any, wanted: str) -> bool:
    """Query operators ``=`` and ``like``; the latter with % as its wildcard."""
    text = "" if value is None else str(value)
    if operator == "=":
        return text == wanted
    pattern = ".*".join(re.escape(part) for part in wanted.split("%"))
    return re.fullmatch(pattern, text) is not None


def filters(call: Call, known: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Query parameters as name -> (operator, text)."""
    unknown = [name for name in call.query if name not in known]
    if unknown:
        raise ApiError(400, f"Received not described parameters: ({', '.join(unknown)})")
    return {name: (known[name], text) for name, text in call.query.items()}


def is_expanded(call: Call) -> bool:
    wanted = call.request.headers.get("X-Pagination-Mode") == EXPANDED
    return wanted and call.sim.switches["pagination_mode"] == "expanded"


def page(call: Call, objects: Callable[[], list[Any]]) -> list[Any]:
    """One page of objects, from a cache as old as switch page_cache_seconds allows unless Pragma says no-cache."""
    cache = call.sim.state.pages
    key = f"{call.request.url.path}?{call.request.url.query}"
    oldest = time.monotonic() - call.sim.switches.number("page_cache_seconds")
    fresh = call.request.headers.get("Pragma") == "no-cache" or cache.get(key, (oldest, None))[0] <= oldest
    if fresh:
        cache[key] = (time.monotonic(), objects())
    found = cache[key][1]
    call.request.state.headers["X-Pagination-Elements"] = str(len(found))
    size = _positive(call, "X-Pagination-Size", 1000)
    number = _positive(call, "X-Pagination-Number", 1)
    return list(found[(number - 1) * size : number * size])


def _positive(call: Call, header: str, default: int) -> int:
    text = call.request.headers.get(header, str(default))
    if not text.isdigit() or int(text) < 1:
        raise ApiError(400, f"[{header}] long Given data ({text}) is not valid for type long")
    return int(text)
