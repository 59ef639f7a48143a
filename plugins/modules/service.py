#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: service
short_description: Manage the settings of an OVHcloud Load Balancer as a whole
description:
  - Sets the name of a service, how it speaks TLS, from how much traffic on OVHcloud writes a mail, and its vRack.
  - An option that is absent leaves what is there. V(null) resets a setting to its default at the API.
  - The service itself is neither ordered nor terminated.
options:
  display_name:
    description:
      - Name of the service in the control panel, of 50 characters at most.
    type: str
  ssl_configuration:
    description:
      - Which TLS versions and ciphers the frontends offer. V(null) means V(intermediate).
      - This alone waits for a refresh; every other setting counts at once.
    type: str
    choices: [intermediate, modern]
  quota_alerts:
    description:
      - By zone, from how many bytes of traffic in a month on OVHcloud writes a mail; V(null) for none.
      - Zones that are not named are left alone.
    type: dict
  vrack:
    description:
      - Name of the vRack that the service is to be in. V(null) leaves it. The task of that is always waited for, also
        with O(wait=false), since nothing else can be written meanwhile.
      - In a vRack every farm needs a private network and servers with private addresses, and the servers then see the
        C(nat_ip) of that network as the source. So with farms this is refused here; one task of
        M(mailops.ovh_iplb.load_balancer) can do it, that gives every farm its network and servers, and the vRack in its
        C(settings).
      - The credentials need access to C(/vrack/*) too.
    type: str
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
  - mailops.ovh_iplb.refresh
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer
  - module: mailops.ovh_iplb.load_balancer_info
  - module: mailops.ovh_iplb.vrack_network
"""

EXAMPLES = r"""
---
- name: Name the service, and be told of unusual traffic
  mailops.ovh_iplb.service:
    service_name: loadbalancer-0123456789abcdef
    display_name: mail
    quota_alerts:
      gra: 1000000000
      rbx: null  # no mail
  delegate_to: localhost

- name: Offer nothing but modern TLS
  mailops.ovh_iplb.service:
    service_name: loadbalancer-0123456789abcdef
    ssl_configuration: modern
  delegate_to: localhost

- name: Attach a service that has no farms yet to a vRack
  mailops.ovh_iplb.service:
    service_name: loadbalancer-0123456789abcdef
    vrack: pn-12345
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
settings:
  description: The settings that the task names, as they are now.
  returned: success, when not in check mode
  type: dict
  sample: {display_name: mail, quota_alerts: {gra: 1000000000}}
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import (
    Spec,
    connection_options,
    refresh_options,
    settings_options,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.settings import desired_settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def argument_spec() -> Spec:
    return {**connection_options(), **settings_options(), **refresh_options()}


def desired(written: Values) -> Desired:
    own = settings_options()
    return Desired(settings=desired_settings({name: value for name, value in written.items() if name in own}))


def main() -> None:
    module = NullAwareModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, desired)


if __name__ == "__main__":
    main()
