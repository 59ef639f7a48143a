# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH between the controller and the hosts: one key to log in with, and host keys known before the first boot."""

from __future__ import annotations

from pathlib import Path

from .layout import DOMAIN, SSH, Node
from .system import run

PRIVATE_KEY = SSH / "id_ed25519"
KNOWN_HOSTS = SSH / "known_hosts"
HOST_KEY_TYPES = ("ed25519", "ecdsa")


def create(hosts: list[Node]) -> None:
    SSH.mkdir(mode=0o700, parents=True)
    _generate(PRIVATE_KEY, "ed25519", "mailops-lab")
    KNOWN_HOSTS.write_text("".join(line for host in hosts for line in _host_keys(host)))


def _host_keys(host: Node) -> list[str]:
    """Make the host's keys and return their lines of known_hosts."""
    (SSH / host.name).mkdir()
    names = ",".join((host.name, f"{host.name}.{DOMAIN}", *host.addresses))
    return [f"{names} {_host_key(host, kind)}" for kind in HOST_KEY_TYPES]


def _host_key(host: Node, kind: str) -> str:
    return _generate(SSH / host.name / f"ssh_host_{kind}_key", kind, host.name)


def _generate(path: Path, kind: str, comment: str) -> str:
    run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path))
    return path.with_name(f"{path.name}.pub").read_text()
