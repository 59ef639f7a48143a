# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run costs over ``mailops.ovh_iplb.paramiko`` and over OpenSSH, with connections that are kept and without.

Needs root, like the lab: ``PYTHONPATH=tests .venv/bin/python -m benchmarks.connections``. It uses a lab of its own, and
takes turns, so that other work on the machine slows all of them. ``MAILOPS_LAB_ANSIBLE`` chooses the ansible-core.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.converged import SMTP, converged_lab, unchanged
from lab.driver import PROGRAMS, PROJECT, Lab

DRIFT = str(PROJECT / "playbooks" / "drift.yml")
TASKS = 20
PINGS = (
    "- name: Ping\n  hosts: smtp_backends\n  gather_facts: false\n  tasks:\n" + "    - ansible.builtin.ping:\n" * TASKS
)
WAYS = {
    "paramiko, kept": ("mailops.ovh_iplb.paramiko", {}),
    "paramiko, one for each task": ("mailops.ovh_iplb.paramiko", {"ANSIBLE_PARAMIKO_KEEP_OPEN": "0"}),
    "OpenSSH, ControlPersist": ("ansible.builtin.ssh", {}),
    "OpenSSH, one for each command": ("ansible.builtin.ssh", {"ANSIBLE_SSH_ARGS": "-o ControlMaster=no"}),
}


def seconds(lab: Lab, playbook: str, connection: str, environment: dict[str, str]) -> float:
    started = time.monotonic()
    unchanged(lab.play(playbook, "-c", connection, **environment))  # type: ignore[arg-type]
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with converged_lab(options.backends) as lab, tempfile.NamedTemporaryFile("w", suffix=".yml") as pings:
        Path(pings.name).write_text(PINGS)
        print(lab.run("controller", PROGRAMS / "ansible", "--version").stdout.split("\n")[0])
        playbooks = {f"{TASKS} pings": pings.name, "smtp.yml": SMTP, "drift.yml": DRIFT}
        for pipelining in ("false", "true"):
            print(f"{options.backends} backends, pipelining {pipelining}; seconds, the median of {options.runs} runs")
            for name, playbook in playbooks.items():
                found = defaultdict(list)
                for _run in range(options.runs):
                    for way, (connection, environment) in WAYS.items():
                        variables = {"ANSIBLE_PIPELINING": pipelining, **environment}
                        found[way].append(seconds(lab, playbook, connection, variables))
                for way, values in found.items():
                    print(f"  {name:10} {way:32} {statistics.median(values):5.1f}", flush=True)


if __name__ == "__main__":
    main()
