# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said between a task and a command: becoming another user first, then input and output.

Private to the collection.
"""

from __future__ import annotations

import select
import socket
import time
import typing as t

from .errors import FAILED, UNREACHABLE, SshError
from .relay import CHUNK, ENDED, ERR, FAULT, OUT, receive_frame


class Become(t.Protocol):
    """What is used of Ansible's become plugins."""

    name: str
    success: str

    def expect_prompt(self) -> bool:
        """Whether it asks for a password."""

    def check_password_prompt(self, b_output: bytes) -> bool:
        """Whether it asks now."""

    def check_success(self, b_output: bytes) -> bool:
        """Whether it has become the user."""

    def check_incorrect_password(self, b_output: bytes) -> bool:
        """Whether the password was wrong."""

    def check_missing_password(self, b_output: bytes) -> bool:
        """Whether it needs a password and can not ask for it."""


class Dialogue:
    """Follows what a command says until it has become the user that it should be.

    What was said until then is no output of the command: prompts, lectures, the mark that it succeeded.
    """

    def __init__(self, become: Become | None, password: str) -> None:
        self._become = become
        self._password = password
        self._asked = False
        self.output = {OUT: bytearray(), ERR: bytearray()}
        self.is_over = become is None or not become.success

    @property
    def awaits(self) -> str:
        return "the prompt for the become password" if self._expects_prompt() else "the command to run as another user"

    def hear(self, source: bytes, data: bytes) -> bytes:
        """Take output in; what to answer.

        :raises SshError: if the password was not right.
        """
        self.output[source] += data
        become = self._become
        if self.is_over or become is None:
            return b""
        heard = bytes(self.output[source])
        if self._has_succeeded(become, heard):
            self.is_over = True
            after = heard.partition(become.success.encode())[2].partition(b"\n")[2]
            self.output = {OUT: bytearray(), ERR: bytearray(), source: bytearray(after)}
        elif become.check_incorrect_password(heard):
            raise SshError(FAILED, f"Incorrect {become.name} password; correct ansible_become_password")
        elif become.check_missing_password(heard):
            raise SshError(FAILED, f"Missing {become.name} password; set ansible_become_password")
        elif self._expects_prompt() and become.check_password_prompt(heard):
            self._asked = True
            self.output[source].clear()
            return self._password.encode() + b"\n"
        return b""

    def _expects_prompt(self) -> bool:
        return self._become is not None and self._become.expect_prompt() and not self._asked

    @staticmethod
    def _has_succeeded(become: Become, heard: bytes) -> bool:
        """Whether the mark is there, to the end of its line: what follows is the command's."""
        dummy, mark, rest = heard.partition(become.success.encode())
        return bool(mark) and b"\n" in rest and bool(become.check_success(heard))


def converse(
    sock: socket.socket, dialogue: Dialogue, data: bytes | None, pty: bool, timeout: float
) -> tuple[int, bytes, bytes]:
    """Follow a command that ``relay.ask`` has started to its end: its exit status, output and errors.

    ``data`` is its standard input. On a terminal, the input is left open without any.
    """
    pending = bytearray()
    is_fed = False
    deadline = time.monotonic() + timeout
    poll = select.poll()
    while True:
        if dialogue.is_over and not is_fed:
            pending += data or b""
            is_fed = True
            if not pending and not pty:
                sock.shutdown(socket.SHUT_WR)
        poll.register(sock, select.POLLIN | (select.POLLOUT if pending else 0))
        events = poll.poll(None if dialogue.is_over else max(0.0, deadline - time.monotonic()) * 1000)
        if not events:
            raise SshError(FAILED, f"Timeout ({timeout:g} s) waiting for {dialogue.awaits}; the option timeout sets it")
        event = events[0][1]
        if event & select.POLLOUT:
            _write(sock, pending)
            if is_fed and not pending and not pty:
                sock.shutdown(socket.SHUT_WR)
        if event & ~select.POLLOUT:
            frame = receive_frame(sock)
            if frame is None:
                raise SshError(UNREACHABLE, "the process that keeps the connection ended while the command ran")
            kind, content = frame
            if kind == FAULT:
                raise SshError.from_bytes(content)
            if kind == ENDED:
                return int(content), bytes(dialogue.output[OUT]), bytes(dialogue.output[ERR])
            pending += dialogue.hear(kind, content)


def _write(sock: socket.socket, pending: bytearray) -> None:
    """Send as much as is taken without waiting, since the command may want its output read first."""
    try:
        sent = sock.send(pending[:CHUNK], socket.MSG_DONTWAIT)
    except BlockingIOError:
        return
    except OSError:
        sent = len(pending)  # the command reads no more
    del pending[:sent]
