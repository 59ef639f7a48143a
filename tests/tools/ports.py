# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports of loopback for servers that tests start, stop and start again."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

LOWEST = 20000


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and that the kernel gives no client: one would keep a server from coming up again."""
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - 1
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(range(LOWEST, highest), 200):
            try:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"no {count} free ports between {LOWEST} and {highest}")


def free_port() -> int:
    return free_ports(1)[0]
