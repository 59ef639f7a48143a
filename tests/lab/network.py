# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces and the links between them. The namespace in which the lab was called is never touched.

The balancer is the router: a bridge joins the backends and the controller to it, a link the client. There is no
default route, so nothing inside reaches anything outside.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import NoReturn

from .layout import (
    BACKEND_NETWORKS,
    BALANCER,
    BALANCER_INSIDE,
    BALANCER_OUTSIDE,
    CLIENT,
    CLIENT_NETWORKS,
    NAMESPACE_PREFIX,
    SERVICE_NETWORKS,
    ZONES,
    Node,
)
from .system import become, poll, run

NAMESPACES = Path("/run/netns")
BRIDGE = "backends"
PACKAGE_ROOT = Path(__file__).resolve().parents[1]


def create(nodes: list[Node]) -> None:
    for node in nodes:
        run("ip", "netns", "add", node.namespace)
    _create_balancer([node for node in nodes if node not in (BALANCER, CLIENT)])
    for node in nodes:
        if node != BALANCER:
            _connect(node)


def exists(nodes: list[Node]) -> bool:
    return all((NAMESPACES / node.namespace).exists() for node in nodes)


def processes(namespace: str) -> list[int]:
    """Ids of the processes whose network is this namespace: whoever is in it belongs to the lab."""
    if not (NAMESPACES / namespace).exists():
        return []
    return [int(pid) for pid in run("ip", "netns", "pids", namespace).split()]


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def spawn(node: Node, log: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a command of the lab in a namespace, to outlive this process; it can import what is beside the lab."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["nsenter", f"--net={NAMESPACES / node.namespace}", *command],
            env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def execute(node: Node, *command: str) -> NoReturn:
    """Become a command in a namespace."""
    become("ip", "netns", "exec", node.namespace, *command)


def kill(namespace: str) -> None:
    def empty() -> bool:
        pids = processes(namespace)
        for pid in pids:
            _kill(pid)
        return not pids

    poll(empty, 20, lambda: f"processes in {namespace} do not end: {processes(namespace)}")


def remove_all() -> bool:
    """Remove the lab's namespaces with all that is in them. Tell whether there were any."""
    namespaces = [path.name for path in NAMESPACES.glob(f"{NAMESPACE_PREFIX}*")]
    for namespace in namespaces:
        kill(namespace)
    for namespace in namespaces:
        run("ip", "netns", "delete", namespace)
    return bool(namespaces)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _create_balancer(inner: list[Node]) -> None:
    _configure(
        BALANCER,
        f"link add {BRIDGE} type bridge",
        f"link set {BRIDGE} up",
        *(f"link add {node.name} type veth peer name eth0 netns {node.namespace}" for node in (*inner, CLIENT)),
        *(f"link set {node.name} master {BRIDGE} up" for node in inner),
        f"link set {CLIENT.name} up",
        *_addresses(BRIDGE, BALANCER_INSIDE),
        *_addresses(CLIENT.name, BALANCER_OUTSIDE),
        *(line for zone in ZONES.values() for line in _addresses("lo", (*zone.addresses, zone.source), single=True)),
    )
    switches = ["net.ipv4.ip_forward=1"] + ["net.ipv6.conf.all.forwarding=1"] * _has_ipv6()
    run("ip", "netns", "exec", BALANCER.namespace, "sysctl", "--quiet", "--write", *switches)


def _connect(node: Node) -> None:
    gateways, own = (BALANCER_OUTSIDE, CLIENT_NETWORKS) if node == CLIENT else (BALANCER_INSIDE, BACKEND_NETWORKS)
    others = [networks for networks in (BACKEND_NETWORKS, CLIENT_NETWORKS, SERVICE_NETWORKS) if networks != own]
    routes = [route for networks in others for route in zip(networks, gateways, strict=True)]
    _configure(
        node,
        "link set eth0 up",
        *_addresses("eth0", node.addresses),
        *(f"route add {network} via {gateway}" for network, gateway in routes if _usable(network)),
    )


def _configure(node: Node, *lines: str) -> None:
    run("ip", "-netns", node.namespace, "-batch", "-", stdin="\n".join(("link set lo up", *lines)))


def _addresses(device: str, addresses: tuple[str, ...], single: bool = False) -> list[str]:
    return [
        f"address add {address}/{_prefix(address, single)} dev {device}{' nodad' if ':' in address else ''}"
        for address in addresses
        if _usable(address)
    ]


def _prefix(address: str, single: bool) -> int:
    if ":" in address:
        return 128 if single else 64
    return 32 if single else 24


def _usable(address: str) -> bool:
    return ":" not in address or _has_ipv6()


def _has_ipv6() -> bool:
    return Path("/proc/sys/net/ipv6").exists()
