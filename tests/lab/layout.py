# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, places and addresses of the lab. All addresses are reserved for documentation (RFC 5737, RFC 3849)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

RELEASES = ("bookworm", "bullseye", "trixie")
MAX_BACKENDS = 50
DOMAIN = "example.test"

# A second lab stands beside the first when MAILOPS_LAB sets it apart; their networks have nothing in common.
NAMESPACE_PREFIX = f"mailops{os.environ.get('MAILOPS_LAB', '')}-"

CACHE = Path("/var/cache/mailops-lab")
STATE = Path(f"/run/{NAMESPACE_PREFIX}lab")
LOCK = Path(f"/run/{NAMESPACE_PREFIX}lab.lock")
LOGS = STATE / "log"
# The home directory of whoever connects to the hosts.
HOME = STATE / "home"
SSH = HOME / ".ssh"
HOSTS_FILE = STATE / "hosts"

BACKEND_NETWORKS = ("192.0.2.0/24", "2001:db8:2::/64")
CLIENT_NETWORKS = ("203.0.113.0/24", "2001:db8:3::/64")
SERVICE_NETWORKS = ("198.51.100.0/24", "2001:db8:1::/64")

# Where the balancer stands in the backends' network and in the clients' network: the others' way to all else.
BALANCER_INSIDE = ("192.0.2.254", "2001:db8:2::254")
BALANCER_OUTSIDE = ("203.0.113.1", "2001:db8:3::1")
CLIENT_ADDRESSES = tuple(f"203.0.113.{n}" for n in range(10, 20)) + tuple(f"2001:db8:3::{n}" for n in range(10, 20))

API_PORT = 8080


@dataclass(frozen=True)
class Zone:
    """A zone of the load balancer: where it listens, and the addresses from which it speaks to the backends."""

    addresses: tuple[str, ...]
    source: str
    nat_ip: str


ZONES = {
    "gra": Zone(("198.51.100.25", "2001:db8:1::25"), "198.51.100.129", "198.51.100.128/29"),
    "rbx": Zone(("198.51.100.26", "2001:db8:1::26"), "198.51.100.137", "198.51.100.136/29"),
}


@dataclass(frozen=True)
class Node:
    """A place where commands run: a namespace of this machine, or (role backend) a host booted in one."""

    name: str
    role: str
    addresses: tuple[str, ...]

    @property
    def namespace(self) -> str:
        return NAMESPACE_PREFIX + self.name


BALANCER = Node("balancer", "balancer", BALANCER_INSIDE + BALANCER_OUTSIDE)
CLIENT = Node("client", "client", CLIENT_ADDRESSES)
CONTROLLER = Node("controller", "controller", ("192.0.2.2", "2001:db8:2::2"))


def backends(count: int) -> list[Node]:
    names = ((f"backend{n}", 10 + n) for n in range(1, count + 1))
    return [Node(name, "backend", (f"192.0.2.{n}", f"2001:db8:2::{n}")) for name, n in names]


def nodes(count: int) -> list[Node]:
    return [BALANCER, CLIENT, CONTROLLER, *backends(count)]
