# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Pythons of this machine, and an environment for each ansible-core with each of them.

Environments are kept in CACHE for all checkouts, one for each set of requirements. Delete it to begin anew.

``python -m tools.environments`` prints where the programs of the newest ansible-core are.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tools.checkout import ROOT
from tools.versions import NEWEST, Core

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailops.ovh_iplb-tests"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "tests/unit/requirements.txt")
RUNNERS = ("pytest>=8.0", "pytest-mock>=3.14", "pytest-xdist>=3.6")

# What a Python can make environments with, and where it really is: not a shim, nor an environment itself.
IDENTIFY = "import ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"


def candidates(version: str) -> Iterator[str]:
    """Yield what may be that Python: what has its name on PATH, then what pyenv has, the newest release first."""
    name = f"python{version}"
    for directory in os.get_exec_path():
        if path := shutil.which(name, path=directory):
            yield path
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        paths = [str(path) for path in Path(root, "versions").glob(f"{version}.*/bin/{name}")]
        yield from sorted(paths, key=lambda path: [int(number) for number in re.findall(r"\d+", path)], reverse=True)


@cache
def find_python(version: str) -> str | None:
    """Return a Python of that version, or None. A shim of pyenv's, which runs only what was chosen, does not count."""
    for path in candidates(version):
        answer = subprocess.run([path, "-c", IDENTIFY], check=False, capture_output=True, text=True)
        if answer.stdout.startswith(f"{version} "):
            return f"{answer.stdout.split(maxsplit=1)[1].strip()}/bin/python{version}"
    return None


def available(versions: Iterable[str]) -> list[str]:
    return [version for version in versions if find_python(version)]


def search_path(versions: Iterable[str]) -> str:
    """Return a PATH with those Pythons, each under its name, before all else."""
    directories = [str(Path(python).parent) for version in versions if (python := find_python(version))]
    return os.pathsep.join([*directories, os.environ["PATH"]])


def environment(python: str, core: Core | None = None, upgrade: bool = False) -> Path:
    """Return the interpreter of an environment with what the tests need, and with ansible-core if one is named."""
    wanted = [*RUNNERS, *([core.requirement] if core else [])]
    wanted += [line for path in REQUIREMENTS for line in path.read_text().splitlines() if line and line[0] != "#"]
    return environment_with(wanted, python, f"ansible-core-{core.name}" if core else "modules", upgrade)


def environment_with(wanted: list[str], python: str, name: str, upgrade: bool = False) -> Path:
    """Return the interpreter of an environment with these packages.

    What is there is used as it is, unless its newest releases are asked for with `upgrade`.
    """
    base = find_python(python)
    assert base, f"this machine has no Python {python}"
    key = hashlib.sha256("\0".join([base, *wanted]).encode()).hexdigest()[:12]
    directory = CACHE / f"{name}-python-{python}-{key}"
    interpreter, ready = directory / "bin/python", directory / "ready"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            subprocess.run([base, "-m", "venv", "--clear", str(directory)], check=True)
        if upgrade or not ready.exists():
            pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--upgrade"]
            subprocess.run([*pip, "pip"], check=True)
            subprocess.run([*pip, *wanted], check=True)
            ready.touch()
    return interpreter


def module_utils(controller: Path, directory: Path) -> Path:
    """Put what modules import of the ansible-core of that environment below `directory`, as Ansible sends it with one.

    So it can be imported with a Python that ansible-core itself does not run on.
    """
    where = "import ansible.module_utils; print(ansible.module_utils.__path__[0])"
    path = subprocess.run([str(controller), "-c", where], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    package = directory / "ansible"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "module_utils").symlink_to(path)
    return directory


if __name__ == "__main__":
    print(environment(available(NEWEST.controllers)[-1], NEWEST).parent)
