# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that outlive a task. Private to the collection.

Ansible runs each task in a process of its own, which a connection of paramiko can not leave. So it lives in a process
beside them, which the first task starts and the next ones find by a socket in a directory of the user's own: the part
that ssh's ControlMaster has for OpenSSH. It ends with the playbook, or when nobody wanted it for a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import select
import signal
import socket
import stat
import threading
import time
import typing as t
from pathlib import Path

from .errors import FAILED, GONE, SshError
from .relay import ask, receive_frame, send_frame, serve
from .settings import Settings

if t.TYPE_CHECKING:
    from .session import Session

LONGEST_PATH = 107  # bytes, of a socket; see unix(7)
LOOK_AROUND = 1.0  # seconds between looks at whether the playbook still runs
OK, FAULT = b"k", b"f"


class Keeper(t.Protocol):
    def connect(self) -> socket.socket:
        """A connection to the session, for one request."""

    def stop(self) -> None:
        """Nobody needs the session any more."""


class OwnKeeper:
    """Keeps the session in this process, for this task."""

    def __init__(self, settings: Settings) -> None:
        self._session = _sign_in(settings)

    def connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        threading.Thread(target=serve, args=(theirs, self._session, lambda: None), daemon=True).start()
        return ours

    def stop(self) -> None:
        self._session.close()


class SharedKeeper:
    """Keeps the session in a process of its own, for all tasks of a playbook that go the same way."""

    def __init__(self, settings: Settings, directory: str, playbook: int, patience: float) -> None:
        self._settings = settings
        self._playbook = playbook
        self._patience = patience
        self._directory = Path(os.path.expanduser(directory)).absolute()
        self._path = self._directory / name_of(settings, playbook)

    def fits(self) -> bool:
        """Whether the system takes a socket of this name."""
        return len(os.fsencode(self._path)) <= LONGEST_PATH

    def connect(self) -> socket.socket:
        self._own_directory()
        connection = _dial(self._path)
        if connection is not None:
            return connection
        with _lock(self._path.with_suffix(".lock")):
            # Another task may have been faster.
            connection = _dial(self._path)
            if connection is None:
                self._start()
                connection = _dial(self._path)
        if connection is None:
            raise SshError(GONE, f"the connection to {self._settings.target} ended at once")
        return connection

    def stop(self) -> None:
        """End every connection of this playbook to this user of this host, whatever else it depends on."""
        if not self._directory.exists():
            return
        self._own_directory()
        for path in self._directory.glob(f"{self._path.stem.partition('-')[0]}-*.sock"):
            connection = _dial(path)
            if connection is not None:
                with connection, contextlib.suppress(SshError):
                    ask(connection, "stop")

    def _own_directory(self) -> None:
        """Whoever can connect to a socket there can do what the user can do on the host, and whoever can put one there
        gets to hear what the host should."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._directory.stat()
        except OSError as error:
            raise SshError(FAILED, f"control_path_dir {self._directory}: {error.strerror}; name another one") from None
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
            raise SshError(
                FAILED,
                f"control_path_dir {self._directory} can be written by others; name a directory of your own, or set "
                "keep_open to 0",
            )

    def _start(self) -> None:
        """Start the process, and wait until it has signed in."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        report, reporter = socket.socketpair()
        with listener, report, reporter:
            mask = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(mask)
            listener.listen(64)
            child = os.fork()
            if child == 0:
                self._detach(listener, reporter)
            reporter.close()
            os.waitpid(child, 0)
            answer = receive_frame(report)
        if answer is None or answer[0] == FAULT:
            self._path.unlink(missing_ok=True)
            raise (
                SshError.from_bytes(answer[1])
                if answer
                else SshError(GONE, f"the process that signs in to {self._settings.target} ended")
            )

    def _detach(self, listener: socket.socket, reporter: socket.socket) -> t.NoReturn:
        """Become a process that nobody waits for, with nothing of the worker's but the two sockets."""
        try:
            os.setsid()
            if os.fork() == 0:
                for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
                    signal.signal(number, signal.SIG_DFL)
                _close_all_but(listener.fileno(), reporter.fileno())
                os.chdir("/")
                self._keep(listener, reporter)
        finally:
            os._exit(0)

    def _keep(self, listener: socket.socket, reporter: socket.socket) -> None:
        with reporter:
            try:
                session = _sign_in(self._settings)
            except SshError as error:
                send_frame(reporter, FAULT, error.to_bytes())
                return
            send_frame(reporter, OK)
        try:
            _serve_all(listener, session, self._playbook, self._patience)
        finally:
            session.close()


def _sign_in(settings: Settings) -> Session:
    # Loading paramiko takes longer than a short task. Tasks that find a connection do without.
    from .session import Session

    return Session(settings)


def name_of(settings: Settings, playbook: int) -> str:
    """The socket's name: a part for the user of the host, and a part for all else that sets connections apart."""
    parts = ((playbook, settings.target), settings.way)
    return "-".join(hashlib.sha256(repr(part).encode()).hexdigest()[:12] for part in parts) + ".sock"


def _dial(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


@contextlib.contextmanager
def _lock(path: Path) -> t.Iterator[None]:
    """Hold a lock file. Whoever held it removes it, so what was locked has to be what lies there."""
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                is_current = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:
                is_current = False
            if not is_current:
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _close_all_but(*wanted: int) -> None:
    """Whoever reads the playbook's output would wait for this process otherwise."""
    limits = [-1, *sorted(wanted), os.sysconf("SC_OPEN_MAX")]
    for before, after in zip(limits, limits[1:]):
        os.closerange(before + 1, after)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        if number not in wanted and number != null:
            os.dup2(null, number)


def _serve_all(listener: socket.socket, session: Session, playbook: int, patience: float) -> None:
    """Serve until the connection or the playbook ended, somebody said so, or nobody came for ``patience`` seconds.
    What was begun by then is finished."""
    path = Path(listener.getsockname())
    ours = path.stat()
    stopped = threading.Event()

    def stop() -> None:
        """From here on nobody finds this process. The next one may have taken the name already."""
        with _lock(path.with_suffix(".lock")), contextlib.suppress(FileNotFoundError):
            if os.path.samestat(ours, path.stat()):
                path.unlink()
        stopped.set()

    clients: list[threading.Thread] = []
    last = time.monotonic()
    while session.is_alive and _runs(playbook):
        clients = [client for client in clients if client.is_alive()]
        if clients:
            last = time.monotonic()
        elif stopped.is_set() or time.monotonic() - last > patience:
            break
        if select.select([listener], [], [], LOOK_AROUND)[0]:
            client = threading.Thread(target=serve, args=(listener.accept()[0], session, stop), daemon=True)
            client.start()
            clients.append(client)
    if not stopped.is_set():
        stop()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
