# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import shutil


def dies_with_us() -> list[str]:
    """Prefix of a command that the kernel ends when this process dies, even killed; where util-linux is installed."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
