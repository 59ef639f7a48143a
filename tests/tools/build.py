# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the collection's artifact in build/, from the files that git knows or would offer to add."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.checkout import ROOT, copy_collection


def main() -> int:
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    command = [str(galaxy), "collection", "build", "--force", "--output-path", str(ROOT / "build")]
    with TemporaryDirectory(prefix="ovh_iplb-") as directory:
        return subprocess.run(command, cwd=copy_collection(Path(directory)), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
