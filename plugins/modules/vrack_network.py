#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vrack_network
short_description: Manage a private network of an OVHcloud Load Balancer
description:
  - Creates, changes or deletes one private network through which a load balancer in a vRack reaches its servers.
  - Farms are attached from the farm's side, with C(vrack_network) of M(mailops.ovh_iplb.farm).
  - An option that is absent leaves what is there. V(null) resets a field to its default at the API. Any value, V(0),
    V(false) and V([]) included, is set.
options:
  display_name:
    description:
      - Name of the private network, by which it is found.
      - Two networks of one name are an error that lists their ids.
    type: str
  vrack_network_id:
    description:
      - Id of an existing network, instead of its name; then O(display_name) renames it.
    type: int
  state:
    description:
      - Whether the network is to exist.
    type: str
    choices: [present, absent]
    default: present
  subnet:
    description:
      - The network in CIDR form. Needed for a new network; can not change afterwards.
    type: str
  nat_ip:
    description:
      - Part of O(subnet), in CIDR form, from which the load balancer speaks to the servers. Needed for a new network.
      - The firewalls of the servers must let it in.
    type: str
  vlan:
    description:
      - VLAN of the network, V(1) to V(4094), or V(0) for none.
    type: int
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
  - mailops.ovh_iplb.refresh
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.farm
  - module: mailops.ovh_iplb.load_balancer
"""

EXAMPLES = r"""
---
- name: Declare a private network
  mailops.ovh_iplb.vrack_network:
    service_name: loadbalancer-0123456789abcdef
    display_name: mail
    subnet: 10.0.0.0/16
    nat_ip: 10.0.1.0/24
    vlan: 0
    refresh: false
  delegate_to: localhost

- name: Reach the servers of a farm through it
  mailops.ovh_iplb.farm:
    service_name: loadbalancer-0123456789abcdef
    display_name: smtp
    vrack_network: mail
  delegate_to: localhost

- name: Delete a private network that no farm uses any more
  mailops.ovh_iplb.vrack_network:
    service_name: loadbalancer-0123456789abcdef
    display_name: mail
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
---
changed:
  description: Whether anything was written or made live, or in check mode would be.
  returned: always
  type: bool
plan:
  description:
    - The writes in their order, carried out, or in check mode only planned.
  returned: success
  type: list
  elements: dict
  contains:
    action: {description: "C(create), C(update) or C(delete).", type: str}
    kind: {description: "Its kind, such as C(farm) or C(route).", type: str}
    protocol: {description: Protocol of the object., type: str}
    key: {description: "The object as protocol, zone and name; a server with address and port.", type: str}
    id: {description: "Id of the object, null while it is only planned.", type: int}
    before: {description: Fields that change as they were., type: dict}
    after: {description: Fields that change as they are to be., type: dict}
    zones: {description: Zones that the write concerns., type: list, elements: str}
  sample:
    - action: update
      kind: server
      protocol: tcp
      key: tcp/gra/smtp/192.0.2.12:25
      id: 42
      before: {weight: 1}
      after: {weight: 0}
      zones: [gra]
service:
  description: The load balancer, with its name, state, addresses and zones.
  returned: success
  type: dict
  sample: {service_name: loadbalancer-0123456789abcdef, ipv4: 198.51.100.25, zones: [gra, rbx], state: ok}
refreshed_zones:
  description: Zones that were refreshed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [gra]
foreign_changes:
  description: Number of changes by zone that were waiting before this run, in the zones of the task.
  returned: success
  type: dict
  sample: {gra: 2}
tasks:
  description: The refresh tasks of the API, in their last known state.
  returned: when not in check mode
  type: list
  elements: dict
written:
  description: The writes that were carried out before one failed, as in RV(plan).
  returned: when a write failed
  type: list
  elements: dict
vrack_networks:
  description: The network, as far as it was read or written.
  returned: success, when not in check mode
  type: list
  elements: dict
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import Spec
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import VRACK_NETWORK
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.single import run_single, spec_of


def argument_spec() -> Spec:
    return spec_of(VRACK_NETWORK)


def main() -> None:
    run_single(VRACK_NETWORK)


if __name__ == "__main__":
    main()
