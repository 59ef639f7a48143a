# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of this checkout and copies of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections/mailops/ovh_iplb")


def files() -> list[Path]:
    """Return what git knows or would offer to add, relative to the checkout and sorted; never what it ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    paths = {Path(name) for name in output.split("\0") if name}
    return sorted(path for path in paths if (ROOT / path).is_file())


def copy_collection(directory: Path) -> Path:
    """Copy the checkout to its collection path under `directory` and return that path."""
    target = directory / COLLECTION
    for path in files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path, follow_symlinks=False)
    return target
