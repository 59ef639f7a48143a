# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run costs that changes nothing: ``playbooks/smtp.yml`` over lab hosts beside ``ansible.builtin.ping``.

Needs root, like the lab: ``PYTHONPATH=tests .venv/bin/python -m benchmarks.converged``. It uses a lab of its own, and
prints one line for each way to run: seconds, tasks and, for one backend, what went over ssh.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.driver import PROJECT, Lab, Play

SMTP = str(PROJECT / "playbooks" / "smtp.yml")
PING = """\
- name: Ping
  hosts: smtp_backends
  gather_facts: false
  tasks:
    - name: Ping
      ansible.builtin.ping:
"""


@dataclass(frozen=True)
class Cost:
    """Of one run: its seconds (the median of several), its tasks, and what the last backend caused.

    ``tasks`` ran for it on either side, ``modules`` on it, ``round_trips`` are the commands and copies over ssh.
    """

    seconds: float
    listed: int
    tasks: int
    modules: int
    round_trips: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:5.1f} s, {self.listed} tasks; one backend: {self.tasks} tasks ran, "
            f"{self.modules} modules on it, {self.round_trips} round trips"
        )


def measure(lab: Lab, playbook: str, runs: int, pipelining: str) -> Cost:
    seconds = []
    for _run in range(runs):
        started = time.monotonic()
        unchanged(lab.play(playbook, ANSIBLE_PIPELINING=pipelining))
        seconds.append(time.monotonic() - started)
    verbose = lab.play(playbook, "-vvv", ANSIBLE_PIPELINING=pipelining)
    host = lab.backends[-1]
    # Each module is one execution of its AnsiballZ file, or, with pipelining, of what is fed to Python.
    over_ssh = re.findall(rf"^<{re.escape(lab.address(host))}> (?:SSH: EXEC|PUT) .*", verbose.output, re.MULTILINE)
    modules = [line for line in over_ssh if re.search(r"python3?\S*( /\S+/AnsiballZ_\S+\.py)? && sleep 0'", line)]
    ran = re.search(rf"^{host}\s+: ok=(\d+)", verbose.output, re.MULTILINE)
    return Cost(
        statistics.median(seconds),
        verbose.output.count("\nTASK ["),
        int(ran.group(1)) if ran else 0,
        len(modules),
        len(over_ssh),
    )


def unchanged(play: Play) -> None:
    if play.status or any(play.changed.values()):
        raise SystemExit(f"this run was to change nothing:\n{play.output}")


@contextmanager
def converged_lab(backends: int) -> Iterator[Lab]:
    lab = Lab.up("--backends", str(backends), name="b")
    try:
        first = lab.play(SMTP)
        if first.status:
            raise SystemExit(first.output)
        yield lab
    finally:
        Lab.down("b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with converged_lab(options.backends) as lab, tempfile.NamedTemporaryFile("w", suffix=".yml") as ping:
        Path(ping.name).write_text(PING)
        for pipelining in ("false", "true"):
            cost = {
                name: measure(lab, playbook, options.runs, pipelining)
                for name, playbook in (("ping", ping.name), ("smtp.yml", SMTP))
            }
            print(f"{options.backends} backends, pipelining {pipelining}")
            for name, one in cost.items():
                print(f"  {name:8} {one}")
            print(f"  ratio    {cost['smtp.yml'].seconds / cost['ping'].seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
