# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-test on this checkout, whatever its folder is called.

Usage: python -m tools.run_ansible_test [--all-pythons] COMMAND [ARGUMENT ...]

It runs for the Python of this environment, or with --all-pythons for every one that ansible-test supports and finds.

ansible-test insists on a path that ends in ansible_collections/NAMESPACE/NAME, and it resolves symbolic links.
So it gets a fresh copy of the files that git knows or would offer to add; what it prints names them relative to that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages
from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS

from tools.checkout import copy_collection

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SUPPORTED = (*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS)
CACHE = Path.home() / ".ansible/test/cache"

# Runs pip from its wheel with the arguments meant for get-pip.py.
GET_PIP = """\
import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("{wheel}")))
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install", "--upgrade", "--force-reinstall", *arguments]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def provide_get_pip(python: str) -> None:
    """Put a get-pip.py made from PyPI's own pip where ansible-test would download it from a host of its project."""
    version = get_venv_packages(SimpleNamespace(version=python))["pip"]
    script = CACHE / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(CACHE), f"pip=={version}"]
    subprocess.run([sys.executable, "-m", "pip", *download], check=True)
    script.write_text(GET_PIP.format(wheel=f"pip-{version}-py3-none-any.whl"))


def run(collection: Path, arguments: list[str], python: str | None = PYTHON) -> int:
    """Run ansible-test in a copy of the collection, for one Python or all, and return its exit status."""
    for version in [python] if python else SUPPORTED:
        provide_get_pip(version)
    choice = ["--python", python] if python else []
    command = [str(Path(sys.executable).with_name("ansible-test")), *arguments, *choice]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=collection, env=environment, check=False).returncode


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--all-pythons"]
    python = PYTHON if len(arguments) == len(sys.argv) - 1 else None
    with TemporaryDirectory(prefix="ovh_iplb-") as directory:
        return run(copy_collection(Path(directory)), arguments, python)


if __name__ == "__main__":
    sys.exit(main())
