# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The port of a frontend: one port, ``a-b``, or a comma list of those."""

from __future__ import annotations

import re

from .schema import HIGHEST_PORT, LOWEST_PORT

PART = re.compile(r"(\d+)(?:-(\d+))?")


def parse_ports(text: str) -> list[tuple[int, int]]:
    """Ranges as (first, last). Raises ValueError."""
    return [_range(part) for part in text.split(",")]


def _range(part: str) -> tuple[int, int]:
    match = PART.fullmatch(part)
    if not match:
        raise ValueError(f"{part!r} is not a port or a range")
    first = int(match[1])
    last = int(match[2] or first)
    if match[2] and first >= last:
        raise ValueError(f"{part} is not an increasing range")
    if first < LOWEST_PORT or last > HIGHEST_PORT:
        raise ValueError(f"{part} is not between {LOWEST_PORT} and {HIGHEST_PORT}")
    return first, last


def overlap(one: str, other: str) -> bool:
    return any(a <= d and c <= b for a, b in parse_ports(one) for c, d in parse_ports(other))
