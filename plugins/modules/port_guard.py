#!/usr/bin/python
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: port_guard
short_description: Admit only a load balancer to a port, with nftables
description:
  - Lets nobody but the given networks, and the host itself, open connections to one TCP port, over IPv4 and IPv6.
    Others are refused at once, as if nothing listened there.
  - Everything is the guard's own, the table C(inet mailops_ovh_iplb), the file C(/etc/mailops-ovh-iplb.nft) and the
    systemd units C(mailops-ovh-iplb.service) and C(mailops-ovh-iplb-again.service) that load it at boot and again
    whenever C(nftables.service), which flushes all tables, is started, restarted or reloaded. Nobody else's rules are
    touched.
  - A table that somebody flushed or changed, an edited file, and a unit that is disabled or stopped are seen and
    corrected. If the guard can not be put up, what was there before returns.
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
  state:
    description: Whether there is a guard. V(absent) removes all that V(present) made.
    type: str
    choices: [present, absent]
    default: present
  port:
    description: The port, a number or a name of C(/etc/services). A host has one guard, so another port replaces it.
    type: str
    default: smtp
  sources:
    description:
      - Networks and addresses that may connect, IPv4 and IPv6. Required with O(state=present).
      - An empty list is an error, and changes nothing.
    type: list
    elements: str
  allow_cutover:
    description:
      - Put up a guard where there was none although clients outside O(sources) have sessions on the port now. Their
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

- name: Admit only the load balancer to port 25
  mailops.ovh_iplb.port_guard:
    port: smtp
    sources: "{{ outgoing.nat_ip | map(attribute='ip') | flatten }}"
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
port:
  description: The number of the port.
  returned: when O(state=present)
  type: int
  sample: 25
sources:
  description: Who may connect, neighbouring networks joined.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [198.51.100.128/28]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard as guards
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard_host as host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import Guard, GuardError

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "port": {"type": "str", "default": "smtp"},
    "sources": {"type": "list", "elements": "str"},
    "allow_cutover": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, required_if=[("state", "present", ["sources"])], supports_check_mode=True
    )
    try:
        module.exit_json(**(present(module) if module.params["state"] == "present" else absent(module)))
    except (GuardError, OSError) as error:
        module.fail_json(msg=str(error))


def present(module: AnsibleModule) -> dict[str, Any]:
    guard = Guard(
        host.port_number(module.params["port"].strip()), guards.read_networks("sources", module.params["sources"])
    )
    require_tools(module.check_mode)
    before = host.read_state()
    result: dict[str, Any] = {
        "changed": not host.is_present(before, guard),
        "existed": before.exists,
        "port": guard.port,
        "sources": [str(network) for network in guard.networks],
    }
    if not result["changed"]:
        return result
    if not before.exists and not module.params["allow_cutover"]:
        refuse_cut_off(guard)
    result["diff"] = diffs(before, host.wanted_files(guard), guard)
    if not module.check_mode:
        host.put_up(guard, before)
    return result


def absent(module: AnsibleModule) -> dict[str, Any]:
    before = host.read_state()
    result: dict[str, Any] = {"changed": before.exists, "existed": before.exists}
    if before.exists:
        result["diff"] = diffs(before, dict.fromkeys(host.FILES), None)
        if not module.check_mode:
            host.take_down(before)
    return result


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


def refuse_cut_off(guard: Guard) -> None:
    others = host.live_outsiders(guard)
    if others:
        raise GuardError(
            f"{', '.join(others)} {'use' if len(others) > 1 else 'uses'} port {guard.port} of this host now and would "
            "be shut out, because only the load balancer may connect from then on. Let them send to the load balancer, "
            "or accept it with allow_cutover: true"
        )


def diffs(before: host.State, after: host.Files, guard: Guard | None) -> list[dict[str, str]]:
    texts = [(path, before.files[path] or "", after[path] or "") for path in host.FILES]
    if guard is None or not guards.is_in_place(before.listing, guard):
        texts.insert(0, ("nftables", host.table_text(), guards.table(guard) if guard else ""))
    else:
        texts.append((guards.UNIT, "not loaded\n", "loaded, now and at boot\n"))
    return [
        {"before_header": name, "after_header": name, "before": old, "after": new}
        for name, old, new in texts
        if old != new
    ]


if __name__ == "__main__":
    main()
