# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a connection that has signed in can do: run commands and move files. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
import typing as t

from . import library, sign_in
from .errors import BUSY, FAILED, GONE, UNREACHABLE, SshError
from .relay import CHUNK
from .settings import Settings

with contextlib.suppress(ImportError):
    import paramiko

# Answers that are on their way at a time while a file is read.
READ_AHEAD = 64
AFTERMATH = 1.0  # seconds


class Session:
    """Thread-safe: several tasks may use it at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._transports = sign_in.sign_in(settings)
        self._lacks_sftp = False
        self._lock = threading.Lock()

    @property
    def is_alive(self) -> bool:
        return all(transport.is_active() for transport in self._transports)

    def close(self) -> None:
        sign_in.close(self._transports)

    def check(self) -> None:
        if not self.is_alive:
            raise SshError(GONE, f"the connection to {self.settings.target} was lost")

    def start(self, command: bytes, pty: bool = False) -> paramiko.Channel:
        channel = self._open()
        try:
            if pty:
                self._give_terminal(channel)
            channel.exec_command(command)
        except library.LOST as error:
            channel.close()
            raise SshError(UNREACHABLE, f"{self.settings.target} did not start the command: {error}") from None
        return channel

    def _give_terminal(self, channel: paramiko.Channel) -> None:
        try:
            channel.get_pty()
        except library.LOST:
            if not self._survives():
                raise
            raise SshError(
                FAILED,
                f"{self.settings.target} gives no terminal (PermitTTY, or no-pty or restrict beside the key there); "
                "set pty (ansible_paramiko_pty) to false",
            ) from None

    def status(self, channel: paramiko.Channel) -> int:
        """The exit status, once all output was read."""
        status = channel.recv_exit_status()
        if status >= 0:
            return status
        if self._survives():
            raise SshError(UNREACHABLE, f"a command on {self.settings.target} ended without a status, as if killed")
        raise SshError(UNREACHABLE, f"the connection to {self.settings.target} was lost while a command ran")

    def _survives(self) -> bool:
        """Whether only a channel has ended. Where the connection does, that is noticed a moment later."""
        self._transports[-1].join(AFTERMATH)
        return self.is_alive

    def _open(self) -> paramiko.Channel:
        self.check()
        try:
            return self._transports[-1].open_session(timeout=self.settings.timeout)
        except paramiko.ChannelException as error:
            raise SshError(
                BUSY, f"{self.settings.target} gives no further session on this connection: {error.text}"
            ) from None
        except library.LOST:
            self.close()
            raise SshError(GONE, f"the connection to {self.settings.target} was lost") from None

    def put(self, local: bytes, remote: bytes, method: bytes) -> None:
        try:
            file = open(local, "rb")  # noqa: SIM115 (the message of an error here is another one than below)
        except OSError as error:
            raise SshError(FAILED, f"{os.fsdecode(local)} can not be read here: {error.strerror}") from None
        with file, self._faults(f"{os.fsdecode(remote)} could not be written"):
            sftp = self._sftp(method)
            if sftp is None:
                self._pipe_to(file, remote)
                return
            with sftp:
                sftp.putfo(file, remote)

    def fetch(self, remote: bytes, local: bytes, method: bytes) -> None:
        with self._faults(f"{os.fsdecode(remote)} could not be fetched"):
            sftp = self._sftp(method)
            if sftp is None:
                self._pipe_from(remote, local)
                return
            with sftp, sftp.open(remote, "rb") as source:
                source.prefetch(source.stat().st_size, READ_AHEAD)
                _copy(source, local)
                # To paramiko a channel that breaks off before a request is the end of the file too.
                source.stat()

    @contextlib.contextmanager
    def _faults(self, what: str) -> t.Iterator[None]:
        try:
            yield
        except library.LOST as error:
            is_answer = getattr(error, "strerror", None)
            if not (self.is_alive if is_answer else self._survives()):
                raise SshError(UNREACHABLE, f"{what}: the connection to {self.settings.target} was lost") from None
            reason = getattr(error, "strerror", None) or str(error) or "the transfer broke off"
            here = getattr(error, "filename", None)  # of a file on the controller
            raise SshError(
                FAILED, f"{what} on {self.settings.target.host}: {os.fsdecode(here) + ': ' if here else ''}{reason}"
            ) from None

    def _sftp(self, method: bytes) -> paramiko.SFTPClient | None:
        """None where files go through a command instead, since the host has no SFTP or none is wanted."""
        if method == b"piped" or (method == b"smart" and self._lacks_sftp):
            return None
        channel = self._open()
        try:
            channel.invoke_subsystem("sftp")
            return paramiko.SFTPClient(channel)
        except library.LOST:
            channel.close()
            if method == b"sftp" and self.is_alive:
                raise SshError(
                    FAILED, f"{self.settings.target.host} has no SFTP; set transfer_method to smart or piped"
                ) from None
            self.check()
            self._lacks_sftp = True
            return None

    def _pipe_to(self, source: t.BinaryIO, remote: bytes) -> None:
        channel = self.start(b"cat > " + _quote(remote))
        try:
            while data := source.read(CHUNK):
                channel.sendall(data)
            channel.shutdown_write()
        except OSError:
            pass  # the command has ended, and says why
        self._succeed(channel)

    def _pipe_from(self, remote: bytes, local: bytes) -> None:
        channel = self.start(b"cat < " + _quote(remote))
        source = channel.makefile("rb")
        first = source.read(CHUNK)
        if not first:
            self._succeed(channel)  # or what lies here already would make room for nothing
        _copy(source, local, first)
        self._succeed(channel)

    def _succeed(self, channel: paramiko.Channel) -> None:
        said = channel.makefile_stderr("rb").read()
        if self.status(channel):
            raise OSError(None, said.decode(errors="replace").strip() or "the command failed")


def _copy(source: t.Any, local: bytes, first: bytes = b"") -> None:
    with open(local, "wb") as file:
        file.write(first)
        while data := source.read(CHUNK):
            file.write(data)


def _quote(path: bytes) -> bytes:
    return os.fsencode(shlex.quote(os.fsdecode(path)))
