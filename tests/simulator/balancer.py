# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a configuration live: HAProxy processes, or nothing.

Every zone has its own HAProxy. A reload starts a new process that takes over the listening sockets of the old one
(``-x``) and tells it to finish its connections and leave (``-sf``): no connection is refused in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import time
from pathlib import Path

from .configuration import Configuration
from .haproxy.render import render
from .haproxy.words import files, socket_path
from .health import Health, Report
from .lifetime import dies_with_us
from .state import Simulator, Zone
from .tasks import DeployError

START_TIMEOUT = 10.0  # seconds
POLL = 0.02
OBSERVE = 0.1


class NoBalancers:
    """For a simulator without HAProxy: a deployment always succeeds."""

    def __init__(self, health: Health) -> None:
        self.health = health

    async def deploy(self, zone: str, configuration: Configuration) -> None:
        self.health.reloaded(zone, configuration)

    async def stop(self) -> None:
        pass

    def rendered(self, zone: str) -> str | None:
        return None


class HaproxyBalancers:
    """One HAProxy per zone; each is watched from its first deployment on."""

    def __init__(self, sim: Simulator, health: Health) -> None:
        self.sim = sim
        self.health = health
        self.zones = {zone.name: Haproxy(zone, sim.settings.directory / zone.name) for zone in sim.settings.zones}
        self.watchers: dict[str, asyncio.Task[None]] = {}

    async def deploy(self, zone: str, configuration: Configuration) -> None:
        haproxy = self.zones[zone]
        if haproxy.text is None and not configuration.in_zone(zone):
            return  # nothing to serve, and nothing that has to stop
        text = render(configuration, haproxy.zone, self.sim.settings, haproxy.directory)
        async with haproxy.lock:
            await haproxy.load(text, files(configuration, haproxy.directory))
            self.health.reloaded(zone, configuration)
        await self._observe(haproxy)
        if zone not in self.watchers:
            self.watchers[zone] = asyncio.get_running_loop().create_task(self._watch(haproxy))

    async def _watch(self, haproxy: Haproxy) -> None:
        while True:
            await asyncio.sleep(OBSERVE)
            await self._observe(haproxy)

    async def _observe(self, haproxy: Haproxy) -> None:
        async with haproxy.lock:
            with contextlib.suppress(OSError):
                statistics = await haproxy.command("show stat -1 4 -1")  # 4: servers only
                observe(self.health, haproxy.zone.name, statistics)

    async def stop(self) -> None:
        watchers = list(self.watchers.values())
        self.watchers.clear()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        for haproxy in self.zones.values():
            await haproxy.stop()

    def rendered(self, zone: str) -> str | None:
        return self.zones[zone].text if zone in self.zones else None


def observe(health: Health, zone: str, statistics: str) -> None:
    for row in csv.DictReader(statistics.lstrip("# ").splitlines()):
        report = Report(
            # "UP 1/2" is up, one failure away from down.
            status="no check" if row["status"] == "no check" else row["status"].split(" ")[0],
            check_status=row["check_status"].removeprefix("* "),
            check_code=row["check_code"],
            content=row["last_chk"],
            duration=row["check_duration"],
            under_way=row["check_status"].startswith("* "),
        )
        health.observe(zone, int(row["svname"].rpartition("-")[2]), report)


class Haproxy:
    """The HAProxy of one zone."""

    def __init__(self, zone: Zone, directory: Path) -> None:
        self.zone = zone
        self.directory = directory
        self.text: str | None = None  # what runs
        self.lock = asyncio.Lock()
        self.processes: list[asyncio.subprocess.Process] = []  # the last one serves, others finish

    async def load(self, text: str, files: dict[Path, str]) -> None:
        """Checks the configuration, then replaces the running process. Raises DeployError; the old one then stays."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            name.write_text(content)
        path = self.directory / "haproxy.cfg"
        path.write_text(text)
        await self._run("haproxy", "-c", "-f", str(path))
        await self._start(path)
        self.text = text

    async def _start(self, path: Path) -> None:
        self.processes = [process for process in self.processes if process.returncode is None]
        takeover: list[str] = []
        if self.processes:
            takeover = ["-x", str(socket_path(self.directory)), "-sf", str(self.processes[-1].pid)]
        log = self.directory / "haproxy.log"
        with log.open("ab") as output:  # the old process still writes there too
            before = output.tell()
            process = await asyncio.create_subprocess_exec(
                *dies_with_us(), "haproxy", "-db", "-f", str(path), *takeover, stdout=output, stderr=output
            )
        # In the list from the start: a reset may come while this waits.
        self.processes.append(process)
        if not await self._ready(process):
            self.processes.remove(process)
            await end(process)
            raise DeployError(alerts(log.read_bytes()[before:].decode(errors="replace")))

    async def _ready(self, process: asyncio.subprocess.Process) -> bool:
        """Whether the process came to serve the runtime socket."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if process.returncode is not None:
                return False
            with contextlib.suppress(OSError):
                if f"\nPid: {process.pid}\n" in await self.command("show info"):
                    return True
            await asyncio.sleep(POLL)
        return False

    async def command(self, line: str) -> str:
        """An answer of the runtime socket. Raises OSError."""
        reader, writer = await asyncio.open_unix_connection(socket_path(self.directory))
        try:
            writer.write(f"{line}\n".encode())
            return (await reader.read()).decode()
        finally:
            writer.close()

    async def _run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output = (await process.communicate())[0].decode(errors="replace")
        if process.returncode:
            raise DeployError(alerts(output))

    async def stop(self) -> None:
        for process in self.processes:
            await end(process)
        self.processes.clear()
        self.text = None


async def end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


def alerts(output: str) -> str:
    """What HAProxy complains of, or all it said."""
    lines = output.strip().splitlines()
    return "\n".join(line for line in lines if "ALERT" in line) or "\n".join(lines)
