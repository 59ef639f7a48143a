# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real sshd on loopback, with users of its own that this machine does not have."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.ports import free_port
from tools.waiting import eventually

PROGRAM = Path("/usr/sbin/sshd")
UID = 54021
PASSWORD, PASSPHRASE = "the password of alice", "the passphrase of her key"
USERS = {"alice": UID, "bob": UID + 1}
# The users exist in the mount namespace of this sshd alone.
INSIDE = (
    "mount --make-rprivate / && for name in passwd shadow group; do mount --bind $0/$name /etc/$name; done && "
    "mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e -f $0/$1.conf"
)


class World:
    """A directory with keys, users and whatever servers are started in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._make_users()
        for name, kind in (("host", "ed25519"), ("host-rsa", "rsa"), ("other", "ed25519"), ("authority", "ed25519")):
            self.generate(name, kind)
        for kind in ("ed25519", "ecdsa", "rsa"):
            self.generate(kind, kind)
        self.generate("encrypted", "ed25519", PASSPHRASE)
        self.generate("stranger", "ed25519")
        keys = [self.path(f"{name}.pub").read_text() for name in ("ed25519", "ecdsa", "rsa", "encrypted")]
        self.write("authorized_keys", "".join(keys))

    def path(self, name: str) -> Path:
        return self.directory / name

    def write(self, name: str, text: str) -> Path:
        self.path(name).write_text(text)
        return self.path(name)

    def public(self, name: str) -> str:
        """Type and key, without the comment."""
        return " ".join(self.path(f"{name}.pub").read_text().split()[:2])

    def generate(self, name: str, kind: str, passphrase: str = "") -> Path:
        path = self.path(name)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", f"key {name}", "-f", path], check=True)
        return path

    def _make_users(self) -> None:
        self.directory.chmod(0o755)
        secret = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, check=True, capture_output=True, text=True
        ).stdout.strip()
        lines: dict[str, list[str]] = {"passwd": [], "shadow": [], "group": []}
        for user, uid in USERS.items():
            home = self.path(user)
            home.mkdir()
            os.chown(home, uid, uid)
            lines["passwd"].append(f"{user}:x:{uid}:{uid}::{home}:/bin/sh")
            lines["shadow"].append(f"{user}:{secret}:19000:0:99999:7:::")
            lines["group"].append(f"{user}:x:{uid}:")
        for name, added in lines.items():
            shutil.copy(f"/etc/{name}", self.path(name))
            with self.path(name).open("a") as file:
                file.write("\n".join((*added, "")))


class Sshd:
    def __init__(self, world: World, name: str, port: int, process: subprocess.Popen[bytes]) -> None:
        self.world = world
        self.port = port
        self._name = name
        self._process = process

    @property
    def log(self) -> str:
        return self.world.path(f"{self._name}.log").read_text()

    @property
    def signed_in(self) -> int:
        """How often somebody did."""
        return self.log.count("Accepted publickey")

    def sessions(self) -> list[int]:
        """The processes that serve connections."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def drop(self) -> None:
        """End every connection, as a host that loses its power does."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Answer on no connection that there is."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    os.kill(int(child), number)
                os.kill(pid, number)


@contextlib.contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="mailops-sshd-") as directory:
        yield World(Path(directory))


@contextlib.contextmanager
def running(world: World, *settings: str, host_key: str = "host", port: int = 0) -> Iterator[Sshd]:
    port = port or free_port()
    name = f"sshd-{port}"
    lines = (
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {world.path(host_key)}",
        f"AuthorizedKeysFile {world.path('authorized_keys')}",
        "PidFile none",
        "StrictModes no",
        "UsePAM yes",
        *settings,
        *([] if any("Subsystem" in line for line in settings) else ["Subsystem sftp internal-sftp"]),
    )
    world.write(f"{name}.conf", "\n".join((*lines, "")))
    with world.path(f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", INSIDE, str(world.directory), name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    server = Sshd(world, name, port, process)
    try:
        _await_port(server)
        yield server
    finally:
        server.drop()
        process.kill()
        process.wait()


def _await_port(server: Sshd) -> None:
    try:
        eventually(lambda: _listens(server.port), f"sshd did not listen on {server.port}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {server.log}") from None


def _listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
