# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change leaves beside main.cf for the runs that follow it. Private to the collection."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import PostfixError, Values

JOURNAL_NAME = ".mailops.ovh_iplb.journal"
# What stood where a listener put its own, by service: its overrides, or None for an entry that came with the listener.
# It is there as long as there is any.
REPLACED_NAME = ".mailops.ovh_iplb.replaced"
Replaced = Mapping[str, Optional[Values]]


@dataclass
class Journal:
    """What a cut run leaves for the next one."""

    previous: Mapping[str, str]
    """The files from before, by name."""
    intended: Mapping[str, Sequence[str]]
    """Digests of what the run was to write, by name."""
    apply: str
    was_running: bool
    answering: Sequence[str]
    """The listeners that answered as they should before the run, and the queue manager if it ran."""
    mailing: Sequence[str] = ()
    """Those of them that took a sender."""


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def load_replaced(directory: str) -> Replaced:
    path = os.path.join(directory, REPLACED_NAME)
    try:
        data: Replaced = json.loads(host.read_text(path))
        return data
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PostfixError(f"{path} can not be understood: remove it, and what it held will not be put back") from error


def load_journal(directory: str) -> Journal | None:
    path = os.path.join(directory, JOURNAL_NAME)
    try:
        data: dict[str, Any] = json.loads(host.read_text(path))
        return Journal(**data)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise PostfixError(
            f"{path} can not be understood: compare main.cf and master.cf with a backup, then remove it"
        ) from error
