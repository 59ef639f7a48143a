# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one host running: ``python -m lab.supervisor HOST IMAGE``, started in the host's network namespace.

The host's disk is an overlay over the image that only this process's mount namespace knows. When the last process of
the host is gone, so is the disk, and nothing is left to unmount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import cgroups
from .layout import DOMAIN, HOSTS_FILE, NAMESPACE_PREFIX, SSH, STATE
from .system import run

# systemd-nspawn(1), exit status: the host asked for a reboot, which is left to whoever started it.
REBOOT = 133
NSPAWN_STATE = Path("/run/systemd/nspawn")


def main(name: str, image: str) -> int:
    root = _mount(STATE / name, image)
    _personalise(root, name)
    command = _nspawn(name, root)
    if not cgroups.managed_by_systemd():
        cgroups.join_own(name)
        command.append("--keep-unit")
    while True:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, env=_environment())
        if code != REBOOT:
            return code


def _mount(place: Path, image: str) -> Path:
    """Mount the host's disk, changes in memory, and hide what systemd-nspawn keeps about running hosts."""
    for directory in (place, NSPAWN_STATE):
        directory.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "mailops-lab", str(directory))
    upper, work, root = (place / part for part in ("upper", "work", "root"))
    for directory in (upper, work, root):
        directory.mkdir()
    layers = f"lowerdir={image},upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", "-o", layers, "mailops-lab", str(root))
    return root


def _personalise(root: Path, name: str) -> None:
    (root / "etc/hostname").write_text(f"{name}\n")
    shutil.copy(HOSTS_FILE, root / "etc/hosts")
    for key in (SSH / name).iterdir():
        shutil.copy(key, root / "etc/ssh")
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(SSH / "id_ed25519.pub", root / "root/.ssh/authorized_keys")
    settings = (f"myhostname={name}.{DOMAIN}", f"mydestination=$myhostname, {DOMAIN}, localhost")
    run("chroot", str(root), "postconf", *settings)


def _nspawn(name: str, root: Path) -> list[str]:
    return [
        *("setpriv", "--pdeathsig", "KILL", "systemd-nspawn"),
        *("--quiet", "--settings=no", "--register=no", "--boot"),
        f"--directory={root}",
        f"--machine={NAMESPACE_PREFIX}{name}",
        f"--hostname={name}",
        f"--network-namespace-path=/run/netns/{NAMESPACE_PREFIX}{name}",
        "--capability=CAP_NET_ADMIN",
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
    ]


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        "SYSTEMD_NSPAWN_LOCK": "0",
        # Debian 13's systemd needs it also where the machine still mounts the hierarchies of version 1.
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
