# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run stages of the tests, each a make target, and summarise them: results, times, and what was skipped and why.

Usage: python -m tools.stages [--parallel] [--beside TARGET] TARGET ...

A stage names what it skips in lines that begin with "SKIPPED", as pytest does. All stages run, also after a failure.
Stages that run in parallel, or beside the others, show their output when they end. The exit status is 0 if none failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tools.checkout import ROOT


@dataclass
class Stage:
    """The outcome of one stage; `seconds` is wall-clock time."""

    target: str
    result: str
    seconds: float
    skipped: list[str]


def reason_to_skip(target: str) -> str | None:
    """Return why this machine can not run the stage at all, or None."""
    if target not in ("lab-images", "lab-test"):
        return None
    if sys.platform != "linux":
        return "the lab needs Linux"
    if os.geteuid() != 0:
        return "the lab needs root; run as root, or have others run it: sudo make test"
    return None


def show(text: str) -> None:
    print(text, end="", flush=True)


def run(target: str, write: Callable[[str], None] = show) -> Stage:
    """Run one stage, passing its output on."""
    write(f"\n===== {target} =====\n")
    reason = reason_to_skip(target)
    if reason:
        write(f"SKIPPED {target}: {reason}\n")
        return Stage(target, "skipped", 0, [reason])
    start = time.monotonic()
    skipped = []
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", target]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            write(line)
            if line.startswith("SKIPPED"):
                skipped.append(line.removeprefix("SKIPPED").strip())
    result = "failed" if process.returncode else "passed"
    return Stage(target, result, time.monotonic() - start, skipped)


def run_quietly(target: str) -> Stage:
    """Run one stage and show its output as a whole."""
    output: list[str] = []
    stage = run(target, output.append)
    show("".join(output))
    return stage


def summary(stages: list[Stage]) -> str:
    """Return the table of stages, what was skipped, and the count as the last line."""
    rows = [f"{stage.target:<14}{stage.result:<10}{stage.seconds:>6.0f} s" for stage in stages]
    skipped = [f"{stage.target}: {reason}" for stage in stages for reason in stage.skipped]
    passed, failed = (sum(stage.result == result for stage in stages) for result in ("passed", "failed"))
    return "\n".join(
        [
            "\n===== summary =====",
            *rows,
            "Skipped: " + ("nothing" if not skipped else ""),
            *(f"  {line}" for line in skipped),
            f"{passed} passed, {failed} failed",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Run stages of the tests and summarise them.")
    parser.add_argument("--parallel", action="store_true", help="run all of them at once")
    beside_help = "run this one meanwhile; the last of the others waits for it"
    parser.add_argument("--beside", action="append", default=[], metavar="TARGET", help=beside_help)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    options = parser.parse_args()
    with ThreadPoolExecutor() as executor:
        if options.parallel:
            stages = list(executor.map(run_quietly, [*options.beside, *options.targets]))
        else:
            beside = [executor.submit(run_quietly, target) for target in options.beside]
            stages = [run(target) for target in options.targets[:-1]]
            stages += [stage.result() for stage in beside]
            stages.append(run(options.targets[-1]))
    print(summary(stages))
    return int(any(stage.result == "failed" for stage in stages))


if __name__ == "__main__":
    sys.exit(main())
