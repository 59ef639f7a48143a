#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: server
short_description: Manage a server of a farm of an OVHcloud Load Balancer
description:
  - Creates, changes or deletes one server in a farm of an OVHcloud Load Balancer service.
  - An option that is absent leaves what is there. V(null) resets a field to its default at the API. Any value, V(0),
    V(false) and V([]) included, is set.
options:
  farm:
    description:
      - Display name of the server's farm. It must exist.
    type: str
  farm_id:
    description:
      - Id of the server's farm, instead of its name.
    type: int
  protocol:
    description:
      - Protocol of the farm.
    type: str
    choices: [tcp, http, udp]
    default: tcp
  zone:
    description:
      - Zone of the farm. May be left out where the name is unique.
    type: str
  address:
    description:
      - IPv4 address of the server. Can not change afterwards.
    type: str
  server_id:
    description:
      - Id of an existing server, instead of its address.
    type: int
  state:
    description:
      - Whether the server is to exist.
    type: str
    choices: [present, absent]
    default: present
  port:
    description:
      - "Port of the server; without it, the farm's. Part of the server's identity: a server without port equals one
        with the farm's."
    type: int
  display_name:
    description:
      - Name of the server, for people only.
    type: str
  status:
    description:
      - Whether the server takes part in the farm. Needed for a new server.
    type: str
    choices: [active, inactive]
  probe:
    description:
      - Whether the farm's probe checks this server.
    type: bool
  weight:
    description:
      - Share of the connections, V(0) to V(256). V(0) receives nothing; V(null) is V(1).
    type: int
  backup:
    description:
      - Use the server only when no other is available.
    type: bool
  proxy_protocol_version:
    description:
      - PROXY protocol header sent to the server, so that it sees the client's address. V(null) sends none.
      - The server must expect exactly this; see the role P(mailops.ovh_iplb.postfix_backend#role).
    type: str
    choices: [v1, v2, v2-ssl, v2-ssl-cn]
  on_marked_down:
    description:
      - What happens to running sessions when the server goes down; V(null) is nothing.
    type: str
    choices: [shutdown-sessions]
  ssl:
    description:
      - Speak TLS to the server.
    type: bool
  chain:
    description:
      - Certificate chain in PEM form that the server's certificate is verified with.
    type: str
  cookie:
    description:
      - Cookie value that stands for the server; V(http) farms with stickiness V(cookie).
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
# The farm and its frontend are there: a farm without a frontend can not be deployed.
- name: Add a Postfix host to the farm named smtp
  mailops.ovh_iplb.server:
    service_name: loadbalancer-0123456789abcdef
    farm: smtp
    address: 192.0.2.11
    status: active
    probe: true
    proxy_protocol_version: v1
  delegate_to: localhost

- name: Take a host out of service, and make that live
  mailops.ovh_iplb.server:
    service_name: loadbalancer-0123456789abcdef
    farm: smtp
    address: 192.0.2.11
    status: inactive
  delegate_to: localhost

- name: Remove it
  mailops.ovh_iplb.server:
    service_name: loadbalancer-0123456789abcdef
    farm: smtp
    address: 192.0.2.11
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

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_server
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import (
    Spec,
    connection_options,
    farm_reference_options,
    object_options,
    refresh_options,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import SERVER
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def argument_spec() -> Spec:
    return {**connection_options(), **farm_reference_options(), **object_options(SERVER), **refresh_options()}


def desired(written: Values) -> Desired:
    own = object_options(SERVER)
    return Desired((desired_server(written, {name: value for name, value in written.items() if name in own}),))


def main() -> None:
    module = NullAwareModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, desired)


if __name__ == "__main__":
    main()
