# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one module in a process of its own, which can be killed: ``python -m faults.process``, a request on stdin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from unit.plugins.modules.arguments import module_arguments
from unit.plugins.modules.harness import MODULES, Service, Values

TESTS = Path(__file__).resolve().parent.parent


def start(service: Service, module: str, **options: Any) -> subprocess.Popen[str]:
    """A run that has begun; its stdout is the result."""
    paths = [str(TESTS), str(TESTS.parent / ".venv" / "collections")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "faults.process"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin
    json.dump({"module": module, "options": {**service.connection, **options}}, process.stdin)
    process.stdin.close()
    process.stdin = None
    return process


def result(process: subprocess.Popen[str]) -> Values:
    """What the run told at its end."""
    output, errors = process.communicate(timeout=60)
    assert output, errors
    told: Values = json.loads(output)
    return told


def main() -> None:
    request = json.load(sys.stdin)
    with module_arguments(request["options"]):
        import_module(f"{MODULES}.{request['module']}").main()


if __name__ == "__main__":
    main()
