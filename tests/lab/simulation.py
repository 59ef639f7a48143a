# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated API and its HAProxy, in the balancer's namespace."""

from __future__ import annotations

import re
import subprocess

from . import network
from .layout import API_PORT, BALANCER, BALANCER_INSIDE, LOGS, STATE, ZONES
from .system import LabError, poll, say, tail

START_TIMEOUT = 60
LOG = LOGS / "simulator.log"
# The last of the lines with which the simulator says that it serves.
READY = "OVH_IPLB_SERVICE"


def start(python: str) -> None:
    """Serve the API unless it is served already, and return once it answers."""
    process = None if running() else _spawn(python)

    def ready() -> bool:
        if process is not None and process.poll() is not None:
            raise LabError(f"the simulator ended with exit code {process.returncode}; the end of {LOG}:\n{tail(LOG)}")
        return READY in environment()

    poll(ready, START_TIMEOUT, lambda: f"the simulator did not start in {START_TIMEOUT} s, see {LOG}:\n{tail(LOG)}")


def running() -> bool:
    return any("simulator" in network.command_line(pid) for pid in network.processes(BALANCER.namespace))


def environment() -> dict[str, str]:
    """The variables the simulator printed: where the API is, and every way to be let in."""
    text = LOG.read_text(errors="replace") if LOG.exists() else ""
    exports = [line for line in text.splitlines() if re.match(r"(# )?export ", line)]
    return dict(re.findall(r"\b(OVH_\w+)=(\S+)", "\n".join(exports)))


def _spawn(python: str) -> subprocess.Popen[bytes]:
    say("starting the simulated API")
    network.kill(BALANCER.namespace)
    LOG.unlink(missing_ok=True)
    return network.spawn(BALANCER, LOG, *_command(python))


def _command(python: str) -> list[str]:
    address = ZONES["gra"].addresses[0]
    zones = [f"--zone={name}={zone.addresses[0]},{zone.source},{zone.nat_ip}" for name, zone in ZONES.items()]
    return [
        *(python, "-m", "simulator"),
        *(f"--host={BALANCER_INSIDE[0]}", f"--port={API_PORT}", "--port-offset=0"),
        *(f"--service-address={address}", *zones),
        *("--time-scale=0.1", f"--state-dir={STATE / 'simulator'}"),
    ]
