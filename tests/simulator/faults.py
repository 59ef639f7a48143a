# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with a call, on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .switches import parse_all

EXPIRE = ("tokens", "keys")
MEANWHILE = {"set", "delete", "refresh"}


@dataclass
class Fault:
    """Happens to calls of a method whose path after /1.0 matches the whole regular expression ``path``.

    Which of them: the ``nth`` from now and those after it, ``count`` in all (None: for good).

    What happens, in this order, each part optional:

    - ``delay`` seconds pass;
    - ``skew`` sets the API's clock apart by so many seconds; ``expire`` ends all "tokens", or all consumer "keys";
    - ``switches`` are set, from then on;
    - ``meanwhile`` somebody else is faster: ``{"set": {field: value}}`` or ``{"delete": true}`` on the object that the
      path ends with, or ``{"refresh": true}``;
    - ``refuse`` takes no connections for so many seconds, and drops the ones that are open;
    - ``drop`` ends the connection without an answer, "before" or "after" the API did what was asked;
    - ``hang`` never answers;
    - ``status`` with ``body`` and ``headers`` is the answer instead of the API's; a text body is sent as HTML;
    - ``cut`` ends the connection in the middle of the API's answer; ``garbage`` makes that answer invalid JSON.

    With ``hang`` and ``status`` the API does nothing, unless ``carried_out``.
    """

    path: str = ".*"
    method: str | None = None
    nth: int = 1
    count: int | None = 1
    delay: float = 0.0
    skew: float | None = None
    expire: str | None = None
    switches: dict[str, Any] = field(default_factory=dict)
    meanwhile: dict[str, Any] = field(default_factory=dict)
    refuse: float = 0.0
    drop: str | None = None
    hang: bool = False
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    garbage: bool = False
    carried_out: bool = False

    def __post_init__(self) -> None:
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}") from error
        if self.drop not in (None, "before", "after"):
            raise ValueError('drop is "before" or "after"')
        if self.expire not in (None, *EXPIRE):
            raise ValueError(f"expire is one of {', '.join(EXPIRE)}")
        if self.nth < 1:
            raise ValueError("nth is 1 or more")
        parse_all(self.switches)
        if not set(self.meanwhile) <= MEANWHILE:
            raise ValueError(f"meanwhile takes {', '.join(sorted(MEANWHILE))}")

    def fits(self, method: str, path: str) -> bool:
        return self.count != 0 and self.method in (None, method) and bool(re.fullmatch(self.path, path))

    def counts_down(self) -> bool:
        """Whether its turn has come with this call."""
        if self.nth == 1:
            return True
        self.nth -= 1
        return False

    def use(self) -> None:
        if self.count is not None:
            self.count -= 1

    @property
    def acts_first(self) -> bool:
        """Whether the API does what was asked although its answer is not given."""
        return self.drop == "after" or (self.carried_out and (self.hang or self.status is not None))
