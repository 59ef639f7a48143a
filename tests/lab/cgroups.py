# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups of the hosts on a machine that systemd does not manage.

There systemd-nspawn uses the group it was started in, so each host needs one of its own. Where systemd manages the
machine, systemd-nspawn asks it for a scope, and only ``join`` is used.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

from .layout import NAMESPACE_PREFIX
from .system import poll

GROUP = f"{NAMESPACE_PREFIX}lab"


def managed_by_systemd() -> bool:
    """As sd_booted(3) tells it."""
    return Path("/run/systemd/system").is_dir()


def join_own(name: str) -> None:
    """Move this process, and with it all it will start, into a group for the host of that name."""
    for mount in _mounts():
        group = mount / GROUP / name
        group.mkdir(parents=True, exist_ok=True)
        _enter(group)


def join(pid: int) -> None:
    """Move this process into the group of another one, in the hierarchy the hosts see."""
    unified = [mount for mount, kind in _mounts().items() if kind == "cgroup2"]
    paths = [line[3:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::")]
    for mount, path in zip(unified, paths, strict=False):
        _enter(mount / path.lstrip("/"))


def remove() -> None:
    """Remove the groups of all hosts; their last processes have been killed but may need a moment to be gone."""
    for mount in _mounts():
        for directory, _below, _files in os.walk(mount / GROUP, topdown=False):
            poll(partial(_removed, Path(directory)), 20, f"{directory} still has processes".format)


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def _mounts() -> dict[Path, str]:
    """Where the hierarchies are mounted in which systemd keeps processes, with their type."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return {
        Path(place): kind
        for _device, place, kind, options, *_rest in mounts
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
    }
