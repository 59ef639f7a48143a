# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running programs of this machine, and telling what goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

# What the lab and the simulator's HAProxy need: a file that is there once the package is, and the package.
PACKAGES = {
    "apt-ftparchive": "apt-utils",
    "debootstrap": "debootstrap",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
APT_INSTALL = Path(__file__).resolve().parents[1] / "tools" / "apt-install"


class LabError(Exception):
    """Something the user has to know, without a traceback."""


def say(message: str) -> None:
    print(f"lab: {message}", file=sys.stderr, flush=True)


def run(*command: str, stdin: str | None = None) -> str:
    """Run a program to its end and return what it printed. An unsuccessful one is a LabError with its own words."""
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def become(*command: str) -> NoReturn:
    """Let a program take this process's place, with its input, output, signals and exit code."""
    try:
        os.execvp(command[0], command)  # noqa: S606 (no shell is wanted)
    except FileNotFoundError:
        raise LabError(f"{command[0]}: not found") from None


def tail(log: Path, lines: int = 15) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])


def poll(condition: Callable[[], bool], timeout: float, failure: Callable[[], str]) -> None:
    """Wait until the condition holds; after ``timeout`` seconds raise a LabError with the words of ``failure``."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(failure())
        time.sleep(0.05)


def require_root_on_linux() -> None:
    if sys.platform != "linux":
        raise LabError(f"the lab is made of Linux namespaces and can not run on {sys.platform}")
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and boots hosts: run it as root")


def install_packages() -> None:
    missing = [package for thing, package in PACKAGES.items() if not _present(thing)]
    if not missing:
        return
    say(f"installing {' '.join(missing)}")
    subprocess.run([str(APT_INSTALL), *missing], stdout=sys.stderr, check=False)
    if still := [package for thing, package in PACKAGES.items() if not _present(thing)]:
        raise LabError(f"these Debian packages are missing and could not be installed: {' '.join(still)}")


def _present(thing: str) -> bool:
    return Path(thing).exists() if thing.startswith("/") else shutil.which(thing) is not None
