# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run stages of the tests, each a make target, and summarise them: results, times, and what was skipped and why.

Usage: python -m tools.stages TARGET ...

A stage names what it skips in lines that begin with "SKIPPED", as pytest does. All stages run, also after a failure.
The exit status is 0 if none failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
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
    if target != "lab-test":
        return None
    if sys.platform != "linux":
        return "the lab needs Linux"
    if os.geteuid() != 0:
        return "the lab needs root; run as root, or have others run it: sudo make test"
    return None


def run(target: str) -> Stage:
    """Run one stage, passing its output through."""
    print(f"\n===== {target} =====", flush=True)
    reason = reason_to_skip(target)
    if reason:
        print(f"SKIPPED {target}: {reason}", flush=True)
        return Stage(target, "skipped", 0, [reason])
    start = time.monotonic()
    skipped = []
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", target]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("SKIPPED"):
                skipped.append(line.removeprefix("SKIPPED").strip())
    result = "failed" if process.returncode else "passed"
    return Stage(target, result, time.monotonic() - start, skipped)


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
    stages = [run(target) for target in sys.argv[1:]]
    print(summary(stages))
    return int(any(stage.result == "failed" for stage in stages))


if __name__ == "__main__":
    sys.exit(main())
