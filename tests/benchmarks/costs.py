# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs cost, by size of the service and latency of the API, beside a sequential script and an empty module.

``make bench`` runs real processes of ansible-playbook against the simulator, writes docs/performance.md, and ends with
what got worse than the recorded ratios. ``--record`` records those of this run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.launcher import Running, running

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"
RECORDED = Path(__file__).with_name("recorded.json")
SERVERS = 10
EACH_LIMIT = 1  # farms up to which one task for each object is tried
SCRIPT_LIMIT = 100  # farms up to which the sequential script is tried
WORSE = 1.25
EMPTY = "empty"
SCRIPT = """\
import os, ovh, ovh.client
ovh.client.ENDPOINTS["simulator"] = os.environ["OVH_ENDPOINT"]
api = ovh.Client(endpoint="simulator")
root = "/ipLoadbalancing/" + os.environ["OVH_IPLB_SERVICE"]
api.get(root)
for kind in ("farm", "frontend"):
    for one in api.get(f"{root}/tcp/{kind}"):
        api.get(f"{root}/tcp/{kind}/{one}")
        if kind == "farm":
            for server in api.get(f"{root}/tcp/farm/{one}/server"):
                api.get(f"{root}/tcp/farm/{one}/server/{server}")
api.get(f"{root}/pendingChanges")
"""


@dataclass(frozen=True)
class Cost:
    """Of one run in processes of its own: seconds, calls of the API, peak memory in MB of the biggest process."""

    seconds: float
    calls: int
    memory: int


def farms(number: int, **options: Any) -> list[dict[str, Any]]:
    return [
        {
            "display_name": f"smtp{farm}",
            "zone": "gra",
            "port": 25,
            "probe": {"type": "smtp"},
            "servers": [{"address": f"192.0.2.{server}", "status": "active"} for server in range(1, SERVERS + 1)],
            **(options if farm == 0 else {}),
        }
        for farm in range(number)
    ]


def whole(number: int, farm: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
    """One task for all; ``farm`` is what the first one has besides."""
    frontend = {"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp0"}
    task = {"farms": farms(number, **(farm or {})), "frontends": [frontend], "purge_servers": True, **options}
    return [{"mailops.ovh_iplb.load_balancer": task}]


def each(number: int) -> list[dict[str, Any]]:
    return [
        {"mailops.ovh_iplb.server": {"farm": farm["display_name"], **server}}
        for farm in farms(number)
        for server in farm["servers"]
    ]


def cost(sim: Running, command: list[str]) -> Cost:
    sim.admin("DELETE", "requests")
    environment = {**os.environ, **sim.environment, "ANSIBLE_LOCALHOST_WARNING": "false"}
    started = time.monotonic()
    with tempfile.NamedTemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            output.seek(0)
            raise SystemExit(output.read())
    seconds = time.monotonic() - started
    return Cost(round(seconds, 2), sim.admin("GET", "calls")["total"], usage.ru_maxrss // 1024)


@contextmanager
def playbook(tasks: list[dict[str, Any]], check: bool = False) -> Iterator[list[str]]:
    """The command that runs these tasks on this machine."""
    # A module with its arguments, as JSON is YAML too.
    play = [{"name": "Measure", "hosts": "localhost", "gather_facts": False, "check_mode": check, "tasks": tasks}]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump(play, file)
        file.flush()
        python = f"ansible_python_interpreter={sys.executable}"
        yield [str(Path(sys.executable).with_name("ansible-playbook")), "-c", "local", "-e", python, file.name]


def play(sim: Running, tasks: list[dict[str, Any]], check: bool = False) -> Cost:
    with playbook(tasks, check) as command:
        return cost(sim, command)


def cell(sim: Running, number: int, latency: int) -> dict[str, Cost]:
    sim.reset(latency_ms=latency)
    found = {EMPTY: play(sim, [{"ansible.builtin.ping": {}}]), "create": play(sim, whole(number))}
    found["no change"] = play(sim, whole(number))
    found["no change, single reads"] = play(sim, whole(number, bulk_reads="never"))
    changed = {"balance": "source"}
    found["one field"] = play(sim, whole(number, changed))
    # As the role drift_report asks.
    report = whole(number, changed, gather=["pending_changes", "farms", "frontends"])
    found["drift report"] = play(sim, report, check=True)
    found["one server task"] = play(sim, each(1)[:1])
    with tempfile.NamedTemporaryFile("w", suffix=".iplb.yml") as source:
        source.write("plugin: mailops.ovh_iplb.iplb\n")
        source.flush()
        program = str(Path(sys.executable).with_name("ansible-inventory"))
        found["inventory"] = cost(sim, [program, "-i", source.name, "--list"])
    if number <= EACH_LIMIT:
        found["a task for each server"] = play(sim, each(number))
    if number <= SCRIPT_LIMIT:
        found["sequential script, reading"] = cost(sim, [sys.executable, "-c", SCRIPT])
    return found


def fewest_calls(number: int) -> int:
    """Service, waiting changes, the lists of farms and frontends, and one of servers for each farm."""
    return 4 + number


def ratios(cells: dict[tuple[int, int], dict[str, Cost]]) -> dict[str, float]:
    """What does not depend on the machine: calls over the fewest, and seconds over those of the script."""
    result = {}
    for (number, latency), found in cells.items():
        where = f"{number} farms, {latency} ms"
        script = found.get("sequential script, reading")
        for name, one in found.items():
            result[f"{where}, {name}: calls"] = round(one.calls / fewest_calls(number), 2)
            if script and name != EMPTY:
                result[f"{where}, {name}: seconds"] = round(one.seconds / script.seconds, 2)
    return result


def line(numbers: list[int], values: list[float]) -> str:
    """Cells of a table: the straight line through these values, by least squares, and how well it fits."""
    fit = statistics.linear_regression(numbers, values)
    certainty = statistics.correlation(numbers, values) ** 2 if len(set(values)) > 1 else 1.0
    return f"{fit.intercept:.1f} + {fit.slope:.3f} n | {certainty:.4f}"


def fits(cells: dict[tuple[int, int], dict[str, Cost]]) -> Iterator[str]:
    """Rows of a table: what each run costs by the number of farms, where three sizes or more were measured."""
    for latency in sorted({latency for _number, latency in cells}):
        found = {number: costs for (number, other), costs in cells.items() if other == latency}
        for name in found[min(found)]:
            numbers = [number for number, costs in found.items() if name in costs]
            if name == EMPTY or len(numbers) < 3:
                continue
            calls = line(numbers, [found[number][name].calls for number in numbers])
            seconds = line(numbers, [found[number][name].seconds for number in numbers])
            yield f"| {name} | {latency} ms | {calls} | {seconds} |"


def page(cells: dict[tuple[int, int], dict[str, Cost]], load: str) -> str:
    lines = [
        "# Performance",
        "",
        "What `make bench` measured: real processes of Ansible on one machine, against the simulator.",
        f"The load of the machine before and after was {load}, so compare the columns rather than the seconds.",
        f'Each farm has {SERVERS} servers; "fewest" is the number of calls that the API needs to tell as much.',
        "",
        "![Seconds by number of farms](performance.svg)",
        "",
        "| Farms | Latency | Run | Seconds | Calls | Fewest | Memory |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for (number, latency), found in cells.items():
        for name, one in found.items():
            lines.append(
                f"| {number} | {latency} ms | {name} | {one.seconds:.1f} | {one.calls} | {fewest_calls(number)} | "
                f"{one.memory} MB |"
            )
    lines += [
        "",
        "Straight lines through all sizes by least squares, where n is the number of farms:",
        "",
        "| Run | Latency | Calls | R² | Seconds | R² |",
        "| --- | ---: | --- | ---: | --- | ---: |",
        *fits(cells),
    ]
    return "\n".join([*lines, ""])


def plot(cells: dict[tuple[int, int], dict[str, Cost]]) -> str:
    """A bar for each run of the biggest cell with 50 ms."""
    shown = max((key for key in cells if key[1] == 50), default=max(cells))
    found = cells[shown]
    most = max(one.seconds for one in found.values())
    bars = []
    for row, (name, one) in enumerate(found.items()):
        y = 30 + 24 * row
        width = 400 * one.seconds / most
        bars.append(f'<text x="190" y="{y + 13}" text-anchor="end">{name}</text>')
        bars.append(f'<rect x="200" y="{y}" width="{width:.0f}" height="16" fill="#2b6cb0"/>')
        bars.append(f'<text x="{206 + width:.0f}" y="{y + 13}">{one.seconds:.1f} s</text>')
    title = f'<text x="10" y="18">{shown[0]} farms of {SERVERS} servers, {shown[1]} ms a call</text>'
    height = 40 + 24 * len(found)
    size = f'width="680" height="{height}" viewBox="0 0 680 {height}"'
    style = 'font-family="sans-serif" font-size="12"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', title, *bars, "</svg>", ""])


def compare(now: dict[str, float]) -> list[str]:
    recorded: dict[str, float] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    return [
        f"{name}: {now[name]:g}, recorded {before:g}"
        for name, before in recorded.items()
        if name in now and now[name] > before * WORSE
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 and 10 farms at 50 ms only; docs are left alone")
    parser.add_argument("--record", action="store_true", help="record the ratios of this run")
    parser.add_argument("--farms", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--latencies", type=int, nargs="+", default=[0, 50, 200], metavar="MS")
    options = parser.parse_args()
    sizes, latencies = ([1, 10], [50]) if options.quick else (options.farms, options.latencies)
    before = os.getloadavg()[0]
    cells = {}
    with running("--no-haproxy", "--time-scale", "0.01") as sim:
        for number in sizes:
            for latency in latencies:
                cells[number, latency] = found = cell(sim, number, latency)
                for name, one in found.items():
                    print(f"{number:5} farms {latency:4} ms  {name:28} {one.seconds:7.1f} s {one.calls:6} calls "
                          f"{one.memory:5} MB", flush=True)  # fmt: skip
    load = f"{before:.1f} and {os.getloadavg()[0]:.1f}"
    now = ratios(cells)
    worse = compare(now)
    if options.record:
        RECORDED.write_text(json.dumps(now, indent=2) + "\n")
    if not options.quick:
        PAGE.write_text(page(cells, load))
        PLOT.write_text(plot(cells))
    print(f"load {load}; worse than recorded: {'; '.join(worse) or 'nothing'}")
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
