# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of one user on one machine take turns at writing to a service. Private to the collection.

The API has no lock, and two runs that find an object missing at the same time would both create it. Reading needs no
turn: whoever wants to write and was overtaken since it began to read has to read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import IplbError
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.pace import (
    locked,
    private_directories,
    shared_file,
)


class TurnTaken(IplbError):
    """Somebody else writes to the service, and goes on; nothing was written."""


class Turn:
    """One run's turn at a service, made before it reads.

    A counter in a file is odd while somebody writes, or was killed over it, and greater afterwards. Where no directory
    can be shared, there are no turns.
    """

    def __init__(self, endpoint: str, service_name: str, directories: t.Sequence[str] | None = None) -> None:
        name = "service-" + hashlib.sha256(f"{endpoint} {service_name}".encode()).hexdigest()[:32]
        self._path = shared_file(name, private_directories() if directories is None else directories)
        self._seen = self._count()

    @contextlib.contextmanager
    def taken(self, timeout: float) -> t.Iterator[bool]:
        """Nobody else writes meanwhile; whether anybody did since this run began to read.

        :param timeout: seconds to wait for one who writes.
        :raises TurnTaken: when that takes longer.
        """
        with contextlib.ExitStack() as stack:
            file = None
            try:
                file = stack.enter_context(locked(self._path, timeout)) if self._path else None
            except TimeoutError:
                raise TurnTaken(
                    f"another run on this machine is writing to this service, and was not done after {timeout:g} s; "
                    "run again when it is, or raise wait_timeout"
                ) from None
            except OSError:
                file = None
            if file is None:
                yield False
                return
            count = _read(file)
            _write(file, count | 1)
            try:
                yield count != self._seen or count % 2 == 1
            finally:
                _write(file, (count | 1) + 1)

    def _count(self) -> int:
        if self._path is None:
            return 0
        try:
            with open(self._path, "rb") as file:
                return _read(file.fileno())
        except OSError:
            return 0


def _read(file: int) -> int:
    text = os.pread(file, 64, 0)
    return int(text) if text.isdigit() else 0


def _write(file: int, count: int) -> None:
    os.pwrite(file, str(count).encode(), 0)
