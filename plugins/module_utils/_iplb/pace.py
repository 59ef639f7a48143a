# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An even pace of calls, for one process and for all that share a consumer key. Private to the collection.

OVHcloud's staff advise 60 calls a minute for each consumer key (ovh/python-ovh issue 81). The processes of a controller
book their calls in one small file, locked only while a slot is booked, never while waiting for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import threading
import time
import typing as t

FAR_AHEAD_SECONDS = 600.0  # a slot later than this was booked by a clock that has been set back since
FAR_AHEAD_CALLS = 200  # more than all forks of a controller make at once
LOCK_POLL_SECONDS = 0.1
DIRECTORY = "mailops.ovh_iplb"


class Pace:
    """Lets a call pass every ``60 / calls_per_minute`` seconds.

    :param key: what the calls are counted by: a consumer key, client id or token; only its digest is written.
    """

    def __init__(self, calls_per_minute: float, key: str, directories: t.Sequence[str] | None = None) -> None:
        self._interval = 60.0 / calls_per_minute
        self._lock = threading.Lock()
        self._next = 0.0
        self._covered = 0.0
        self.waited = 0.0
        """Seconds for which any call waited for its slot."""
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = shared_file(name, private_directories() if directories is None else directories)

    def wait(self) -> None:
        """Return when the next slot has come."""
        with self._lock:
            now = time.time()
            slot = self._book(now)
            # Threads wait at the same time, so what one has waited for already is not counted again.
            self.waited += max(0.0, slot - max(now, self._covered))
            self._covered = max(self._covered, slot)
        time.sleep(max(0.0, slot - now))

    def _book(self, now: float) -> float:
        if self._path is None:
            return self._book_alone(now)
        try:
            with locked(self._path) as file:
                slot = self._after(_read_time(file), now)
                os.lseek(file, 0, os.SEEK_SET)
                os.ftruncate(file, 0)
                os.write(file, repr(slot).encode())
                return slot
        except OSError:
            return self._book_alone(now)

    def _book_alone(self, now: float) -> float:
        self._next = self._after(self._next, now)
        return self._next

    def _after(self, last: float, now: float) -> float:
        """The first slot that is free; one implausibly far ahead does not count."""
        far_ahead = max(FAR_AHEAD_SECONDS, FAR_AHEAD_CALLS * self._interval)
        return now if last > now + far_ahead else max(now, last + self._interval)


def private_directories() -> list[str]:
    """Where a user's processes share small files: the runtime directory, else the cache."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return [os.path.join(runtime, DIRECTORY), os.path.join(os.path.expanduser("~/.cache"), DIRECTORY)]


def shared_file(name: str, directories: t.Iterable[str]) -> str | None:
    """The file in the first directory that is this user's alone, or None: then the process keeps the pace by itself."""
    for directory in directories:
        with contextlib.suppress(OSError):
            if _is_private(directory):
                return os.path.join(directory, name)
    return None


def _is_private(directory: str) -> bool:
    parent = os.path.dirname(directory)
    if not os.path.isdir(parent):
        if os.path.basename(parent) != ".cache":
            return False
        os.mkdir(parent, 0o700)
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    found = os.lstat(directory)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


@contextlib.contextmanager
def locked(path: str, timeout: float | None = None) -> t.Iterator[int]:
    """The file, which nobody else has meanwhile.

    :raises TimeoutError: when somebody has it for longer than ``timeout`` seconds.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_uid != os.geteuid():
            raise OSError("the file is somebody else's")
        _lock(file, timeout)
        yield file
    finally:
        os.close(file)


def _lock(file: int, timeout: float | None) -> None:
    if timeout is None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(LOCK_POLL_SECONDS)


def _read_time(file: int) -> float:
    try:
        return float(os.read(file, 64))
    except ValueError:
        return 0.0  # new, or cut while it was written
