# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Debian hosts: start, wait for, look into and reboot them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from . import cgroups, network
from .layout import LOGS, Node
from .system import LabError, become, poll, say, tail

BOOT_TIMEOUT = 120
# Of a login as root by ssh.
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LOGNAME": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL": "/bin/bash",
    "USER": "root",
}


def start(host: Node, image: Path) -> subprocess.Popen[bytes] | None:
    """Boot the host unless it runs. A host whose supervisor was killed is lost and starts afresh."""
    if _supervised(host):
        return None
    say(f"booting {host.name}")
    network.kill(host.namespace)
    supervisor = (sys.executable, "-m", "lab.supervisor", host.name, str(image))
    return network.spawn(host, _log(host), "unshare", "--mount", *supervisor)


def await_booted(host: Node, process: subprocess.Popen[bytes] | None) -> None:
    """Wait until the host is up; ``process`` is its supervisor if it was started just now."""

    def booted() -> bool:
        if process is not None and process.poll() is not None:
            raise LabError(f"{host.name} ended; the end of {_log(host)}:\n{tail(_log(host))}")
        return state(host) in ("running", "degraded")

    _await(host, booted)
    if state(host) == "degraded":
        failed = _output(host, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
        say(f"{host.name} is up, but units failed:\n{failed}")


def reboot(host: Node) -> None:
    """Reboot the host in order and wait until it is up again."""
    before = leader(host)
    _output(host, "systemctl", "reboot")
    _await(host, lambda: leader(host) not in (None, before) and state(host) in ("running", "degraded"))


def _await(host: Node, condition: Callable[[], bool]) -> None:
    def failure() -> str:
        return f"{host.name} was not up within {BOOT_TIMEOUT} s; the end of {_log(host)}:\n{tail(_log(host))}"

    poll(condition, BOOT_TIMEOUT, failure)


def state(host: Node) -> str:
    """What systemctl(1) is-system-running says, or ``stopped``."""
    if leader(host) is None:
        return "stopped"
    return _output(host, "systemctl", "is-system-running") or "starting"


def leader(host: Node) -> int | None:
    """The host's first process, by its id on this machine."""
    for pid in network.processes(host.namespace):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            continue
        if re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE):
            return pid
    return None


def command(host: Node, pid: int, *words: str) -> list[str]:
    """A command line that runs ``words`` inside the host, in root's home directory and environment."""
    variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    if term := os.environ.get("TERM"):
        variables.append(f"TERM={term}")
    enter = ["nsenter", f"--target={pid}", "--all", "--root", "--", "env", "-i", f"--chdir={ENVIRONMENT['HOME']}"]
    return [*enter, *variables, *words]


def execute(host: Node, *words: str) -> NoReturn:
    """Become a command inside the host: its input, output and exit code are this process's."""
    pid = leader(host)
    if pid is None:
        raise LabError(f"{host.name} is not running; `lab up` starts it")
    cgroups.join(pid)
    become(*command(host, pid, *words))


def _output(host: Node, *words: str) -> str:
    pid = leader(host)
    if pid is None:
        return ""
    done = subprocess.run(
        command(host, pid, *words), check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return done.stdout.strip()


def _supervised(host: Node) -> bool:
    return any("lab.supervisor" in network.command_line(pid) for pid in network.processes(host.namespace))


def _log(host: Node) -> Path:
    return LOGS / f"{host.name}.log"
