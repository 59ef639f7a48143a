# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run `ansible-test integration` against a simulator on a free port of the loopback interface.

Usage: python -m tools.run_integration [--modules-python PATH] [--switch NAME=VALUE ...] [--mixture N] [TARGET ...]

Modules run with the Python of this environment, or with the one of that path. --mixture sets all switches of the
simulator at once; mixtures 1 to 6 together have every setting.

The targets find what the simulator prints as variables of integration_config.yml, in lower case: ovh_endpoint,
ovh_application_key, ovh_application_secret, ovh_consumer_key, ovh_client_id, ovh_client_secret, ovh_access_token and
ovh_iplb_service.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import yaml

from simulator.switches import mixtures
from tools.checkout import ROOT, copy_collection
from tools.run_ansible_test import run

VARIABLES = {
    "ovh_endpoint",
    "ovh_application_key",
    "ovh_application_secret",
    "ovh_consumer_key",
    "ovh_client_id",
    "ovh_client_secret",
    "ovh_access_token",
    "ovh_iplb_service",
}
MIXTURES = mixtures(6)
# What the targets can not be asked to pass: where every farm needs a network (the target vrack_network attaches one
# itself), and where nobody can tell whether a certificate is there already.
SET_ASIDE = {"vrack": "active", "certificate_fingerprint": "other"}


def settings(mixture: int) -> list[str]:
    """The switches of one of the mixtures, counted from 1, as NAME=VALUE."""
    chosen = MIXTURES[mixture - 1].items()
    return [f"{name}={value}" for name, value in chosen if SET_ASIDE.get(name) != value]


def read_variables(output: IO[str]) -> dict[str, str]:
    """Return the variables of the simulator's `export NAME=VALUE ...` lines, which it prints once it listens.

    Raises EOFError when the simulator ends without having printed all of them.
    """
    variables: dict[str, str] = {}
    for line in output:
        variables.update((name.lower(), value) for name, value in re.findall(r"(OVH_\w+)=(\S+)", line))
        if variables.keys() >= VARIABLES:
            return variables
    raise EOFError(f"the simulator ended before it printed {sorted(VARIABLES - variables.keys())}")


@contextmanager
def simulator(switches: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Run a simulator and yield the variables with which it is reached; it has ended when the block is left."""
    options = ["--port", "0", "--time-scale", "0.1"]
    for switch in switches:
        options += ["--switch", switch]
    if not shutil.which("haproxy"):
        print("SKIPPED real health and traffic in the simulator: haproxy is not installed", flush=True)
        options.append("--no-haproxy")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-m", "simulator", *options]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield read_variables(process.stdout)
        finally:
            process.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run integration targets against a simulator.")
    parser.add_argument("--modules-python")
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--mixture", type=int, choices=range(1, len(MIXTURES) + 1))
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    switches = [*(settings(options.mixture) if options.mixture else ()), *options.switch]
    with TemporaryDirectory(prefix="ovh_iplb-") as directory, simulator(switches) as variables:
        collection = copy_collection(Path(directory))
        if options.modules_python:
            variables["ansible_python_interpreter"] = options.modules_python
        (collection / "tests/integration/integration_config.yml").write_text(yaml.safe_dump(variables))
        flags = ["--local", "--allow-root", "--allow-destructive", "--continue-on-error"]
        return run(collection, ["integration", *flags, *options.targets])


if __name__ == "__main__":
    sys.exit(main())
