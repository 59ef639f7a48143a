#!/usr/bin/python
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: port_guard
short_description: Admit only load balancers to ports, with nftables
description:
  - Lets nobody but the given networks, and the host itself, open connections to the given TCP ports, over IPv4 and
    IPv6. Others are refused at once, as if nothing listened there.
  - A host has one guard for all its ports. A task changes the ports that it names, the others stay as they are, and
    everything changes in one transaction of nftables, so that no port is open for a moment while others come or go. A
    port leaves the guard by its own C(state=absent) alone.
  - Each port keeps its networks for each load balancer, so that two before one host do not undo each other.
  - Everything is the guard's own, the table C(inet mailops_ovh_iplb), the file C(/etc/mailops-ovh-iplb.nft) and the
    systemd units C(mailops-ovh-iplb.service) and C(mailops-ovh-iplb-again.service) that load it at boot and again
    whenever C(nftables.service), which flushes all tables, is started, restarted or reloaded. Nobody else's rules are
    touched.
  - A table that somebody flushed or changed, an edited file, and a unit that is disabled or stopped are seen and
    corrected. If the guard can not be put up, what was there before returns, and a run that was cut is finished or
    undone by the next one.
  - The guard only refuses. What another firewall of the host refuses, it does not admit.
version_added: 1.0.0
author:
  - mailops.ovh_iplb contributors (@mailops)
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
    details:
      - Where nftables is not installed, a check-mode run tells what it would do once it is.
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
requirements:
  - nftables 0.9.8 or later, and systemd, on the host
  - the rights of root
options:
  ports:
    description:
      - The ports that change. Those that the guard has and this does not name stay.
      - An empty list names none, and removes nothing.
    type: list
    elements: dict
    suboptions:
      port:
        description: The port, a number or a name of C(/etc/services).
        type: str
        required: true
      sources:
        description: Networks and addresses that may connect, instead of the O(sources) of the task.
        type: list
        elements: str
      load_balancer:
        description: Whose networks these are, instead of the O(load_balancer) of the task. An empty text is nobody's.
        type: str
      state:
        description:
          - V(absent) takes the networks of the load balancer away. The port is open to all where no other load balancer
            has any, so that Postfix must have forgotten the header.
          - Without a load balancer, V(absent) takes away those of all.
        type: str
        choices: [present, absent]
        default: present
  port:
    description: One port, as an entry of O(ports). Without both, V(smtp).
    type: str
  sources:
    description:
      - Networks and addresses that may connect, IPv4 and IPv6, to each port of the task that names none of its own.
      - With O(load_balancer), also to every other port that the guard has for it, so that a port that the task does not
        name goes on following the addresses of the load balancer.
      - An empty list is an error, and changes nothing.
    type: list
    elements: str
  load_balancer:
    description:
      - Whose the networks are, such as the service name of an OVHcloud Load Balancer. Needed where a host has several.
      - What a port has from a task without it, or from an older version of this collection, becomes that of the first
        load balancer that names the port.
    type: str
  state:
    description:
      - V(absent) with O(port) removes that port. V(absent) alone removes the whole guard, so that all its ports are
        open.
    type: str
    choices: [present, absent]
    default: present
  allow_cutover:
    description:
      - Guard ports that were not guarded before although clients outside their sources have sessions on them now. Their
        sessions go on, but they can open no more.
      - Without it that is an error that names them.
    type: bool
    default: false
seealso:
  - module: mailops.ovh_iplb.load_balancer_info
  - module: mailops.ovh_iplb.postfix_config
"""

EXAMPLES = r"""
- name: Read from where the load balancer speaks to the hosts
  mailops.ovh_iplb.load_balancer_info:
    service_name: loadbalancer-0123456789abcdef
    gather: [nat_ip]
  register: outgoing
  delegate_to: localhost
  run_once: true

- name: Admit only the load balancer to ports 25 and 587
  mailops.ovh_iplb.port_guard:
    load_balancer: loadbalancer-0123456789abcdef
    sources: "{{ outgoing.nat_ip | map(attribute='ip') | flatten }}"
    ports:
      - port: smtp
      - port: submission
  become: true
  register: guarded

- name: Go back to what was guarded before
  mailops.ovh_iplb.port_guard:
    ports: "{{ guarded.previous }}"
    allow_cutover: true
  become: true

- name: Open port 587 again
  mailops.ovh_iplb.port_guard:
    load_balancer: loadbalancer-0123456789abcdef
    ports:
      - port: submission
        state: absent
  become: true

- name: Remove the guard
  mailops.ovh_iplb.port_guard:
    state: absent
  become: true
"""

RETURN = r"""
existed:
  description: Whether there was anything of a guard before.
  returned: success
  type: bool
ports:
  description: What the guard is, or in check mode would be, in the form of the option O(ports).
  returned: success
  type: list
  elements: dict
  sample:
    - port: "25"
      load_balancer: loadbalancer-0123456789abcdef
      sources: [198.51.100.128/28]
      state: present
previous:
  description: The option O(ports) with which a further task makes the guard what it was. Empty where no port changes.
  returned: success
  type: list
  elements: dict
  sample:
    - port: "25"
      load_balancer: ""
      state: absent
port:
  description: The number of the port.
  returned: where the task is about one port that is guarded now
  type: int
  sample: 25
sources:
  description: Who may connect to it, neighbouring networks joined.
  returned: where the task is about one port that is guarded now
  type: list
  elements: str
  sample: [198.51.100.128/28]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard as guards
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard_host as host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard_table as tables
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import (
    UNNAMED,
    Entry,
    Guard,
    GuardError,
    Networks,
    Request,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard_units import UNIT

STATE: dict[str, Any] = {"type": "str", "choices": ["present", "absent"], "default": "present"}
ARGUMENTS: dict[str, Any] = {
    "state": STATE,
    "port": {"type": "str"},
    "ports": {
        "type": "list",
        "elements": "dict",
        "options": {
            "port": {"type": "str", "required": True},
            "sources": {"type": "list", "elements": "str"},
            "load_balancer": {"type": "str"},
            "state": STATE,
        },
    },
    "sources": {"type": "list", "elements": "str"},
    "load_balancer": {"type": "str"},
    "allow_cutover": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, mutually_exclusive=[("port", "ports")], supports_check_mode=True)
    try:
        with host.alone(module.check_mode):
            module.exit_json(**run(module))
    except (GuardError, OSError) as error:
        module.fail_json(msg=str(error))


def run(module: AnsibleModule) -> dict[str, Any]:
    request = read_request(module.params)
    now = host.read_state()
    # A run that was cut has not ended: what there was before it counts.
    cut = host.read_journal()
    before = cut or now
    wanted = guards.apply(before.guard, request) if request else Guard()
    if wanted.ports:
        require_tools(module.check_mode)
    result: dict[str, Any] = {
        "changed": not host.is_present(now, wanted) and (bool(wanted.ports or cut) or says_absent(request)),
        "existed": before.exists,
        "ports": wanted.as_values(),
        "previous": guards.way_back(before.guard, wanted),
        **about_one_port(request, wanted),
    }
    if result["changed"]:
        if not module.params["allow_cutover"]:
            refuse_cut_off(before.guard, wanted)
        result["diff"] = diffs(now, wanted)
        if not module.check_mode:
            host.change(wanted, before)
    elif not module.check_mode:
        host.forget_journal()
    return result


def read_request(params: dict[str, Any]) -> Request | None:
    """What the task says, or None where the whole guard is to go. Everything is judged before anything changes."""
    load_balancer = (params["load_balancer"] or UNNAMED).strip()
    sources = None if params["sources"] is None else guards.read_networks("sources", params["sources"])
    if params["ports"] is None:
        if params["state"] == "absent" and params["port"] is None:
            return None
        one = {"port": params["port"] or "smtp", "sources": None, "load_balancer": None, "state": params["state"]}
        return Request([read_entry(one, load_balancer, sources)], load_balancer)
    if params["state"] == "absent":
        raise GuardError("state: absent is about the whole guard. Write state: absent into the entries of ports")
    entries = [read_entry(entry, load_balancer, sources) for entry in params["ports"]]
    return Request(entries, load_balancer, sources if load_balancer else None)


def read_entry(entry: dict[str, Any], load_balancer: str, sources: Networks | None) -> Entry:
    port = host.port_number(entry["port"].strip())
    name = load_balancer if entry["load_balancer"] is None else entry["load_balancer"].strip()
    if entry["state"] == "absent":
        return Entry(port, name, None)
    if entry["sources"] is not None:
        sources = guards.read_networks(f"sources of port {port}", entry["sources"])
    if sources is None:
        raise GuardError(f"sources is missing: say who may connect to port {port}. Nothing was changed")
    return Entry(port, name, sources)


def says_absent(request: Request | None) -> bool:
    """Only what is said to be absent makes a guard go."""
    return request is None or any(entry.networks is None for entry in request.entries)


def about_one_port(request: Request | None, wanted: Guard) -> dict[str, Any]:
    ports = {entry.port for entry in request.entries} if request else set()
    if len(ports) != 1 or not ports <= set(wanted.ports):
        return {}
    (port,) = ports
    return {"port": port, "sources": [str(network) for network in wanted.networks(port)]}


def require_tools(check_mode: bool) -> None:
    remedy = "or have another firewall do this (role postfix_backend: postfix_backend_firewall: external)"
    if not host.has_systemd():
        raise GuardError(
            f"This host does not run systemd, which loads the guard at boot: run it with systemd, {remedy}"
        )
    if host.nft() is None and not check_mode:
        raise GuardError(
            "nftables is not installed on this host: install it first, for example with ansible.builtin.package or, in "
            f"the role postfix_backend, with postfix_backend_install: true, {remedy}"
        )


def refuse_cut_off(before: Guard, wanted: Guard) -> None:
    """Ask for every port that is new who would be shut out of it."""
    new = [port for port in wanted.ports if port not in before.ports]
    others = {port: host.live_outsiders(wanted, port) for port in new}
    told = [f"port {port} is used by {', '.join(clients)}" for port, clients in others.items() if clients]
    if told:
        raise GuardError(
            f"On this host {' and '.join(told)} now. They would be shut out, because only the load balancer may "
            "connect from then on. Let them send to the load balancer, or accept it with allow_cutover: true. Nothing "
            "was changed"
        )


def diffs(now: host.State, wanted: Guard) -> list[dict[str, str]]:
    after = host.wanted_files(wanted)
    texts = [(path, now.files[path] or "", after[path] or "") for path in host.FILES]
    if not wanted.ports or not tables.is_in_place(now.listing, wanted):
        texts.insert(0, ("nftables", host.table_text(), tables.table(wanted) if wanted.ports else ""))
    else:
        texts.append((UNIT, "not loaded\n", "loaded, now and at boot\n"))
    return [
        {"before_header": name, "after_header": name, "before": old, "after": new}
        for name, old, new in texts
        if old != new
    ]


if __name__ == "__main__":
    main()
