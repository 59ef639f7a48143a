# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talking to a session over a socket: what a task wants done, and what came of it. Private to the collection.

A client connects, sends one request, and then the standard input of a command as it is, ended by a shutdown. All else
goes in frames: a letter, a length, the data.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import typing as t

from .errors import GONE, UNREACHABLE, SshError

if t.TYPE_CHECKING:
    from .session import Session

CHUNK = 65536
REQUEST, STARTED, OUT, ERR, ENDED, FAULT = b"r", b"s", b"o", b"e", b"x", b"f"
HEADER = struct.Struct("!cI")


def send_frame(sock: socket.socket, kind: bytes, data: bytes = b"") -> None:
    sock.sendall(HEADER.pack(kind, len(data)) + data)


def receive_frame(sock: socket.socket) -> tuple[bytes, bytes] | None:
    """The next frame; None where the other side closed the connection."""
    header = _receive(sock, HEADER.size)
    if header is None:
        return None
    kind, length = HEADER.unpack(header)
    data = _receive(sock, length)
    return None if data is None else (kind, data)


def _receive(sock: socket.socket, length: int) -> bytes | None:
    data = bytearray()
    while len(data) < length:
        try:
            chunk = sock.recv(length - len(data))
        except ConnectionError:  # it was killed before it had read what it was sent
            return None
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def ask(sock: socket.socket, operation: str, *words: bytes, **flags: bool) -> None:
    """Send a request. When this returns, the session has begun with it.

    :raises SshError: of the kind GONE if there is no session on the other side any more.
    """
    request = {"operation": operation, "words": [word.decode("latin-1") for word in words], "flags": flags}
    try:
        send_frame(sock, REQUEST, json.dumps(request).encode())
        answer = receive_frame(sock)
    except OSError:
        answer = None
    if answer is None:
        raise SshError(GONE, "the connection that was kept open has ended")
    if answer[0] == FAULT:
        raise SshError.from_bytes(answer[1])


def finish(sock: socket.socket) -> None:
    """Wait for the end of what has no output."""
    answer = receive_frame(sock)
    if answer is None:
        raise SshError(UNREACHABLE, "the process that keeps the connection ended")
    if answer[0] == FAULT:
        raise SshError.from_bytes(answer[1])


def serve(sock: socket.socket, session: Session, stop: t.Callable[[], None]) -> None:
    """Do what one client wants, and tell it how that went."""
    with sock:
        try:
            frame = receive_frame(sock)
            if frame is None:
                return
            request = json.loads(frame[1])
            words = [word.encode("latin-1") for word in request["words"]]
            try:
                if request["operation"] == "stop":
                    stop()
                    send_frame(sock, STARTED)
                elif request["operation"] == "run":
                    _run(sock, session, words[0], request["flags"]["pty"])
                else:
                    _transfer(sock, session, request["operation"], words)
            except SshError as error:
                if error.kind == GONE:
                    stop()  # before the client hears of it, and looks for another connection
                send_frame(sock, FAULT, error.to_bytes())
        except OSError:
            return  # the client went away


def _transfer(sock: socket.socket, session: Session, operation: str, words: list[bytes]) -> None:
    session.check()
    send_frame(sock, STARTED)
    (session.put if operation == "put" else session.fetch)(*words)
    send_frame(sock, ENDED, b"0")


def _run(sock: socket.socket, session: Session, command: bytes, pty: bool) -> None:
    channel = session.start(command, pty)
    try:
        send_frame(sock, STARTED)
        threading.Thread(target=_feed, args=(sock, channel), daemon=True).start()
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        poll.register(sock, 0)  # reports a client that went away
        while not _pass_on(sock, channel):
            if any(event & (select.POLLHUP | select.POLLERR) for fd, event in poll.poll() if fd == sock.fileno()):
                return
        send_frame(sock, ENDED, str(session.status(channel)).encode())
    finally:
        channel.close()


def _feed(sock: socket.socket, channel: t.Any) -> None:
    try:
        while data := sock.recv(CHUNK):
            channel.sendall(data)
        channel.shutdown_write()
    except (OSError, EOFError):
        return  # the command ended, or the client went away


def _pass_on(sock: socket.socket, channel: t.Any) -> bool:
    """Pass on the output that has come. Whether that was all of it."""
    ended = channel.closed or channel.eof_received
    while channel.recv_ready():
        send_frame(sock, OUT, channel.recv(CHUNK))
    while channel.recv_stderr_ready():
        send_frame(sock, ERR, channel.recv_stderr(CHUNK))
    return bool(ended)
