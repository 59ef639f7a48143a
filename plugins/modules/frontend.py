#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: frontend
short_description: Manage a frontend of an OVHcloud Load Balancer
description:
  - Creates, changes or deletes one frontend of an OVHcloud Load Balancer service.
  - An option that is absent leaves what is there. V(null) resets a field to its default at the API. Any value, V(0),
    V(false) and V([]) included, is set.
options:
  display_name:
    description:
      - Name of the frontend. Together with protocol and zone it is the frontend's identity.
      - Two frontends of one name are an error that lists their ids.
    type: str
  frontend_id:
    description:
      - Id of an existing frontend, instead of its name; then O(display_name) renames it.
    type: int
  protocol:
    description:
      - Protocol of the frontend.
    type: str
    choices: [tcp, http, udp]
    default: tcp
  state:
    description:
      - Whether the frontend is to exist.
    type: str
    choices: [present, absent]
    default: present
  default_farm:
    description:
      - Display name of the farm that gets the connections. It is looked for in the frontend's protocol, and in its
        zone or in V(all); V(null) detaches it.
    type: str
  zone:
    description:
      - Zone in which the frontend listens, such as V(gra), or V(all) for every zone of the service. Upper and lower
        case are the same.
      - Needed for a new frontend. May be left out where the name is unique.
      - Can change, together with O(default_farm) unless that is in V(all).
    type: str
  port:
    description:
      - "Ports to listen on: a port, a range V(a-b), or a comma list of those, each V(1) to V(49151). Needed for a new
        frontend."
    type: str
  default_farm_id:
    description:
      - Id of the farm that gets the connections. Excludes O(default_farm).
    type: int
  allowed_source:
    description:
      - Networks in CIDR form that may connect; V([]) is everybody. Excludes O(denied_source).
    type: list
    elements: str
  denied_source:
    description:
      - Networks in CIDR form that may not connect.
    type: list
    elements: str
  dedicated_ipfo:
    description:
      - Additional IP addresses, already routed to the service, to listen on instead of the service's own.
    type: list
    elements: str
  disabled:
    description:
      - Whether the frontend is switched off.
    type: bool
  ssl:
    description:
      - Terminate TLS.
    type: bool
  default_ssl_id:
    description:
      - Id of the certificate that is served by default.
    type: int
  default_ssl:
    description:
      - Display name of that certificate, instead of its id. V(null) unsets it.
    type: str
  hsts:
    description:
      - Send Strict-Transport-Security; V(http) only.
    type: bool
  http_header:
    description:
      - Headers to add to requests, each as C(Name value); V(http) only.
    type: list
    elements: str
  redirect_location:
    description:
      - URL to redirect every request to; V(http) only. Such a frontend needs no farm.
    type: str
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
  - mailops.ovh_iplb.refresh
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer
  - module: mailops.ovh_iplb.farm
"""

EXAMPLES = r"""
---
- name: Listen for SMTP and send it to the farm named smtp
  mailops.ovh_iplb.frontend:
    service_name: loadbalancer-0123456789abcdef
    display_name: smtp
    zone: gra
    port: "25"
    default_farm: smtp
  delegate_to: localhost

- name: Let only two networks in
  mailops.ovh_iplb.frontend:
    service_name: loadbalancer-0123456789abcdef
    display_name: smtp
    allowed_source: [198.51.100.0/24, 203.0.113.7/32]
  delegate_to: localhost

- name: Let everybody in again
  mailops.ovh_iplb.frontend:
    service_name: loadbalancer-0123456789abcdef
    display_name: smtp
    allowed_source: []
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
farms:
  description: The farms that the task names, with their servers, as far as they were read or written.
  returned: success, when not in check mode
  type: list
  elements: dict
frontends:
  description: The frontends that the task names, as far as they were read or written.
  returned: success, when not in check mode
  type: list
  elements: dict
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import Spec
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FRONTEND
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.single import run_single, spec_of


def argument_spec() -> Spec:
    return spec_of(FRONTEND)


def main() -> None:
    run_single(FRONTEND)


if __name__ == "__main__":
    main()
