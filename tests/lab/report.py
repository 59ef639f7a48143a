# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab as others read it: status for programs and people, inventory for Ansible."""

from __future__ import annotations

from typing import Any

from . import hosts, keys, network, simulation
from .layout import API_PORT, BALANCER_INSIDE, CLIENT_ADDRESSES, HOME, STATE, ZONES, Node, backends, nodes
from .state import State


def status(state: State) -> dict[str, Any]:
    return {
        "release": state.release,
        "state_dir": str(STATE),
        "home": str(HOME),
        "hosts": {node.name: _node(node) for node in nodes(state.backends)},
        "api": _api(),
        "service_addresses": {name: zone.addresses[0] for name, zone in ZONES.items()},
        "source_addresses": {name: zone.source for name, zone in ZONES.items()},
        "nat_ip": {name: zone.nat_ip for name, zone in ZONES.items()},
        "client_addresses": [address for address in CLIENT_ADDRESSES if ":" not in address],
    }


def table(status: dict[str, Any]) -> str:
    rows = [("HOST", "ROLE", "STATE", "NAMESPACE", "ADDRESSES")]
    rows += [
        (name, host["role"], host["state"], host["namespace"], _brief(host["addresses"]))
        for name, host in status["hosts"].items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    services = ", ".join(f"{zone} {address}" for zone, address in status["service_addresses"].items())
    api = status["api"]
    served = f"{api['url']} ({api['service_name']})" if api["running"] else "not running"
    return "\n".join((*lines, "", f"Debian   {status['release']}", f"Service  {services}", f"API      {served}"))


def inventory(state: State) -> str:
    lines = ["---", "smtp_backends:", "  hosts:"]
    for host in backends(state.backends):
        lines += [f"    {host.name}:", f"      ansible_host: {host.addresses[0]}"]
    lines += [
        "  vars:",
        "    ansible_user: root",
        f"    ansible_ssh_private_key_file: {keys.PRIVATE_KEY}",
        # Connections that ssh keeps open end with the lab: another one has hosts of the same addresses.
        f"    ansible_control_path_dir: {STATE}/ssh",
        f"    ansible_ssh_common_args: -o UserKnownHostsFile={keys.KNOWN_HOSTS} -o StrictHostKeyChecking=yes",
        f"    ansible_paramiko_known_hosts: [{keys.KNOWN_HOSTS}]",
        "    ansible_python_interpreter: /usr/bin/python3",
        "",
    ]
    return "\n".join(lines)


def _node(node: Node) -> dict[str, Any]:
    common = {"role": node.role, "namespace": node.namespace, "addresses": list(node.addresses)}
    if node.role != "backend":
        return {**common, "pid": None, "state": "running" if network.exists([node]) else "missing", "ssh": None}
    ssh = {"user": "root", "private_key": str(keys.PRIVATE_KEY), "port": 22, "known_hosts": str(keys.KNOWN_HOSTS)}
    return {**common, "pid": hosts.leader(node), "state": hosts.state(node), "ssh": ssh}


def _api() -> dict[str, Any]:
    variables = simulation.environment()
    return {
        "running": simulation.running(),
        "url": variables.get("OVH_ENDPOINT", f"http://{BALANCER_INSIDE[0]}:{API_PORT}/1.0"),
        "service_name": variables.get("OVH_IPLB_SERVICE"),
        "application_key": variables.get("OVH_APPLICATION_KEY"),
        "application_secret": variables.get("OVH_APPLICATION_SECRET"),
        "consumer_key": variables.get("OVH_CONSUMER_KEY"),
        "oauth2": {
            "client_id": variables.get("OVH_CLIENT_ID"),
            "client_secret": variables.get("OVH_CLIENT_SECRET"),
        },
        "access_token": variables.get("OVH_ACCESS_TOKEN"),
        "log": str(simulation.LOG),
    }


def _brief(addresses: list[str]) -> str:
    return addresses[0] if len(addresses) == 1 else f"{addresses[0]} (+{len(addresses) - 1})"
