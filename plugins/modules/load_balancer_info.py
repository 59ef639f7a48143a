#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: load_balancer_info
short_description: Read everything about an OVHcloud Load Balancer
description:
  - Returns the service, its zones, outgoing addresses, waiting changes, traffic quota, recent tasks, farms with their
    servers and health, frontends, routes with their rules, certificates and private networks.
  - What M(mailops.ovh_iplb.load_balancer) manages comes in the shape of its options, so that it can be taken over into
    a playbook.
options:
  gather:
    description:
      - What to read. Each item costs calls, and OVHcloud advises to stay below 60 calls a minute.
      - The service itself is always read.
    type: list
    elements: str
    choices: [settings, nat_ip, pending_changes, quota, tasks, vrack_networks, certificates, farms, frontends, routes]
    default: [settings, nat_ip, pending_changes, quota, tasks, vrack_networks, certificates, farms, frontends, routes]
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes.info
  - mailops.ovh_iplb.connection
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer
"""

EXAMPLES = r"""
---
- name: Read everything
  mailops.ovh_iplb.load_balancer_info:
    service_name: loadbalancer-0123456789abcdef
  register: iplb
  delegate_to: localhost

- name: Show the health of every server
  ansible.builtin.debug:
    msg: "{{ item.1.address }} is {{ item.1.server_state | map(attribute='status') | join(', ') }}"
  loop: "{{ iplb.farms | subelements('servers') }}"
  loop_control:
    label: "{{ item.1.address }}"

- name: Read only the addresses from which the load balancer speaks to the servers
  mailops.ovh_iplb.load_balancer_info:
    service_name: loadbalancer-0123456789abcdef
    gather: [nat_ip]
  delegate_to: localhost
"""

RETURN = r"""
---
service:
  description: The service.
  returned: success
  type: dict
  sample: {service_name: loadbalancer-0123456789abcdef, ipv4: 198.51.100.25, state: ok, zone: [gra, rbx]}
zones:
  description: Zones of the service.
  returned: success
  type: list
  elements: str
  sample: [gra, rbx]
settings:
  description:
    - Name, TLS configuration, traffic alerts and vRack of the service, in the words of M(mailops.ovh_iplb.service).
  returned: when O(gather) has V(settings)
  type: dict
  sample: {display_name: mail, ssl_configuration: modern, quota_alerts: {gra: 1000000000, rbx: null}, vrack: null}
nat_ip:
  description:
    - Networks from which the load balancer speaks to the servers, by zone, to be let through their firewalls.
    - Those of private networks (vRack) have a C(vrack_network_id), and no zone.
  returned: when O(gather) has V(nat_ip)
  type: list
  elements: dict
  sample: [{zone: gra, ip: [198.51.100.128/29], vrack_network_id: null}]
pending_changes:
  description: Number of changes that wait for a refresh, by zone; zones without are left out.
  returned: when O(gather) has V(pending_changes)
  type: dict
  sample: {gra: 2}
quota:
  description: Traffic of each zone, in bytes.
  returned: when O(gather) has V(quota)
  type: list
  elements: dict
tasks:
  description: Tasks of the service that the API still lists, oldest first.
  returned: when O(gather) has V(tasks)
  type: list
  elements: dict
farms:
  description: Farms of every protocol, with their servers. C(server_state) is the health that each instance of the load
    balancer reports.
  returned: when O(gather) has V(farms)
  type: list
  elements: dict
frontends:
  description: Frontends of every protocol.
  returned: when O(gather) has V(frontends)
  type: list
  elements: dict
routes:
  description: Routes of every protocol, with their rules.
  returned: when O(gather) has V(routes)
  type: list
  elements: dict
certificates:
  description: Certificates, with fingerprint, names (C(san)), C(expire_date) and C(type); the API never shows a key.
  returned: when O(gather) has V(certificates)
  type: list
  elements: dict
vrack_networks:
  description: Private networks.
  returned: when O(gather) has V(vrack_networks)
  type: list
  elements: dict
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import IplbError
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import PARTS, gather
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import Spec, connection_options
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import connect, fail
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def argument_spec() -> Spec:
    parts = list(PARTS)
    return {
        **connection_options(),
        "gather": {"type": "list", "elements": "str", "choices": parts, "default": parts},
    }


def main() -> None:
    module = NullAwareModule(argument_spec=argument_spec(), supports_check_mode=True)
    result: Values = {"changed": False}
    try:
        result.update(gather(*connect(module), module.params["gather"]))
    except IplbError as error:
        fail(module, error, result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
