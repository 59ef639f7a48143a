# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands on the host of the tests, which is this machine, and what runs of them."""

from __future__ import annotations

import os
import subprocess


def pause(seconds: int) -> str:
    """A command that no other run of the tests has. It takes up to a second more."""
    return f"sleep {seconds}.{os.getpid()}"


def running(command: str) -> list[int]:
    """The processes of a command."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], check=True, capture_output=True, text=True).stdout
    found = [line.split(maxsplit=1) for line in listed.splitlines()]
    return [int(pid) for pid, arguments in found if arguments == command]
