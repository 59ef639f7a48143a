# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for what comes true by itself, and not for longer than that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PAUSE = 0.01  # seconds


def eventually(condition: Callable[[], Any], what: str = "this did not come true", seconds: float = 30) -> Any:
    """The first true value of ``condition``; when none comes in time, the test fails with ``what``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} within {seconds:g} s")
        time.sleep(PAUSE)
    return value
