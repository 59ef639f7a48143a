# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Postfix instance of its own for tests: its files in a temporary directory, its listeners on the loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import instance as instances
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import (
    Talk,
    Transcript,
    converse,
    greeting,
    refusal,
)

from tools.ports import free_ports

# The address that mynetworks trusts; it is nobody's, so only a forged header can claim it.
PARTNER = "192.0.2.99"

MAIN = """\
compatibility_level = 2
config_directory = {directory}/etc
queue_directory = {directory}/spool
data_directory = {directory}/data
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = backend.example.test
mynetworks = {partner}/32
local_transport = discard:
local_recipient_maps =
alias_maps =
alias_database =
# A comment that stays.
"""

MASTER = """\
{smtp}     inet  n  -  n  -     -  smtpd
{plain}    inet  n  -  n  -     -  smtpd
{screen}   inet  n  -  n  -     1  postscreen
smtpd      pass  -  -  n  -     -  smtpd
pickup     unix  n  -  n  60    1  pickup
cleanup    unix  n  -  n  -     0  cleanup
qmgr       unix  n  -  n  300   1  qmgr
tlsmgr     unix  -  -  n  1000? 1  tlsmgr
rewrite    unix  -  -  n  -     -  trivial-rewrite
bounce     unix  -  -  n  -     0  bounce
defer      unix  -  -  n  -     0  bounce
trace      unix  -  -  n  -     0  bounce
verify     unix  -  -  n  -     1  verify
flush      unix  n  -  n  1000? 0  flush
proxymap   unix  -  -  n  -     -  proxymap
proxywrite unix  -  -  n  -     1  proxymap
error      unix  -  -  n  -     -  error
retry      unix  -  -  n  -     -  error
discard    unix  -  -  n  -     -  discard
anvil      unix  -  -  n  -     1  anvil
scache     unix  -  -  n  -     1  scache
"""


def is_possible() -> bool:
    return os.geteuid() == 0 and host.is_installed()


@dataclass(frozen=True)
class PrivatePostfix:
    root: Path
    smtp: int
    plain: int
    screen: int

    @property
    def directory(self) -> str:
        return str(self.root / "etc")

    @property
    def listener(self) -> str:
        return f"{self.smtp}/inet"

    def file(self, name: str) -> Path:
        return self.root / "etc" / name

    def command(self, *arguments: str) -> int:
        return subprocess.run(
            ["postfix", "-c", self.directory, *arguments], capture_output=True, check=False
        ).returncode

    def is_running(self) -> bool:
        """Asks no program of Postfix: that takes the lock for a moment, and a master that starts then gives up."""
        try:
            pid = int((self.root / "spool/pid/master.pid").read_text())
        except (FileNotFoundError, ValueError):
            return False
        return Path(f"/proc/{pid}/exe").exists()  # not of one that has ended

    def queue_manager(self) -> tuple[int, int] | None:
        return instances.instance(self.directory, host.read_settings(self.directory)).queue_manager()

    def reset(self) -> None:
        """As freshly installed and started."""
        for leftover in self.file("main.cf").parent.glob(".mailops*"):
            leftover.unlink()
        values = {"directory": self.root, "partner": PARTNER}
        ports = {"smtp": self.smtp, "plain": self.plain, "screen": self.screen}
        # Replaced at once, as the collection does: a process that starts meanwhile must not see half of a file.
        host.write_text(str(self.file("main.cf")), MAIN.format(**values), 0o644)
        host.write_text(str(self.file("master.cf")), MASTER.format(**ports), 0o644)
        for name in ("main.cf", "master.cf"):
            self.file(name).chmod(0o644)
            shutil.chown(self.file(name), "root", "root")
        if self.command("reload") != 0:
            assert self.command("start") == 0

    def greeting(self, header: str = "none", port: int | None = None) -> int | None:
        """The code with which a client is greeted; one without a header speaks first."""
        where = port or self.smtp
        code, _text = refusal("127.0.0.1", where) if header == "none" else greeting("127.0.0.1", where, header)
        return code

    def relay(self, header: str, claimed: str, port: int | None = None) -> Transcript:
        """Ask for the relaying of a message as a client that claims an address."""
        sender, recipient = "a@example.com", "b@example.net"
        return converse(
            Talk(
                "127.0.0.1",
                port or self.smtp,
                proxy=header,
                proxy_source=(claimed, 4000),
                proxy_destination=("127.0.0.1", 25),
                mail_from=sender,
                rcpt_to=[recipient],
            )
        )

    def relays(self, header: str, claimed: str, port: int | None = None) -> bool:
        transcript = self.relay(header, claimed, port)
        return any(reply.command == "RCPT" and reply.code == 250 for reply in transcript.replies)


@contextmanager
def private_postfix() -> Iterator[PrivatePostfix]:
    root = Path(tempfile.mkdtemp(prefix="postfix-"))
    root.chmod(0o755)
    postfix = PrivatePostfix(root, *free_ports(3))
    try:
        for name in ("etc", "spool", "data"):
            (root / name).mkdir()
        shutil.chown(root / "data", "postfix")
        postfix.reset()
        yield postfix
    finally:
        postfix.command("stop")
        shutil.rmtree(root)
