# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the running Postfix has read what its files say. Pure. Private to the collection."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stamp:
    """Which files a running master has: identities that change whenever a file does, or another master starts."""

    master: tuple[int, int]
    """Process id, and time (ns) of the pid file that the master wrote when it started."""
    files: tuple[tuple[int, int], ...]
    """(inode, change time in ns) of main.cf and master.cf."""
    digests: tuple[str, ...]
    """What the files say, by ``meaning_digest``."""
    queue_manager: tuple[int, int] | None = None
    """Process id and start (clock ticks after boot), or None where it does not run or can not be seen."""
    queue_manager_since: int = field(default=0, compare=False)
    """Its start as a time of files (ns); only as good as the clock, and so nothing to compare."""


def meaning_digest(text: str) -> str:
    """The same for all texts of main.cf or master.cf that differ in comments and blank lines only: postconf(5)."""
    lines = [line.rstrip() for line in text.split("\n")]
    said = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def is_live(now: Stamp, applied: Stamp | None) -> bool:
    """Whether the running master has read what the files say.

    It has when it started after their last change, and when this collection reloaded it with exactly these. It has
    too when they say the same as then, and no reload can have shown it anything else between: every reload starts
    another queue manager.
    """
    last_change = max(changed for _inode, changed in now.files)
    if last_change < now.master[1]:
        return True
    if applied is None or now.master != applied.master:
        return False
    if now.files == applied.files:
        return True
    if now.queue_manager is None or now.digests != applied.digests:
        return False
    return now.queue_manager == applied.queue_manager or last_change < now.queue_manager_since
