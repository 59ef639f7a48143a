#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: farm
short_description: Manage a farm of an OVHcloud Load Balancer
description:
  - Creates, changes or deletes one farm of an OVHcloud Load Balancer service. Deleting a farm deletes its servers.
  - Its servers are managed with M(mailops.ovh_iplb.server), or all at once with M(mailops.ovh_iplb.load_balancer).
  - An option that is absent leaves what is there. V(null) resets a field to its default at the API. Any value, V(0),
    V(false) and V([]) included, is set.
options:
  display_name:
    description:
      - Name of the farm. Together with protocol and zone it is the farm's identity, so adopting a farm that was made
        by hand is just naming it.
      - Two farms of one name are an error that lists their ids.
    type: str
  farm_id:
    description:
      - Id of an existing farm, instead of its name; then O(display_name) renames it.
    type: int
  protocol:
    description:
      - Protocol of the farm.
    type: str
    choices: [tcp, http, udp]
    default: tcp
  state:
    description:
      - Whether the farm is to exist.
    type: str
    choices: [present, absent]
    default: present
  replace:
    description:
      - Let another farm take the place of this one where O(zone) differs, which can not change. The new farm gets all
        that the old one has, whatever led to the old one is led to it, and when it is live and healthy the old one
        goes.
      - The old farm is the one of O(farm_id), or the only one of its name that no entry of the task names.
      - Its id is gone afterwards. A task with O(farm_id) can run again where O(display_name) and O(zone) tell the new
        farm; without them it fails and says so.
      - If the new farm does not become healthy, frontends and routes go back to the old one. A run that is cut is
        finished by the next one.
      - Needs a probe on the farm and on each active server.
    type: bool
    default: false
  zone:
    description:
      - Zone in which the farm is deployed, such as V(gra), or V(all) for every zone of the service. Upper and lower
        case are the same.
      - Needed for a new farm; can not change afterwards. May be left out where the name is unique.
    type: str
  port:
    description:
      - Port of the servers, V(1) to V(49151). Without it, they are reached on the frontend's port.
      - Needed for a V(udp) farm.
    type: int
  balance:
    description:
      - How connections are spread; V(null) is V(roundrobin). V(uri) only for V(http).
    type: str
    choices: [first, leastconn, roundrobin, source, uri]
  probe:
    description:
      - How the servers are checked. What is written is merged with the probe that is there; V(null) takes the probe
        away.
      - "Only servers with their own V(probe: true) are checked."
    type: dict
    suboptions:
      type:
        description:
          - How servers are checked. Defaults to V(tcp) for a new probe.
          - V(smtp) greets the server and expects an answer of class 2xx.
        type: str
        choices: [http, mysql, oco, pgsql, smtp, tcp]
      port:
        description:
          - Port to check; by default the farm's.
          - A check on another port than the farm's goes without PROXY header and without TLS.
        type: int
      interval:
        description:
          - Seconds between two checks, V(30) or more. The API's default is V(30).
        type: int
      match:
        description:
          - What makes an answer good. Only V(default) for V(smtp), V(mysql), V(pgsql) and V(oco) probes; V(status)
            only for V(http).
        type: str
        choices: [contains, default, matches, status]
      negate:
        description:
          - Invert O(probe.match), which must be given too.
        type: bool
      pattern:
        description:
          - What O(probe.match) looks for.
        type: str
      url:
        description:
          - What an V(http) probe asks for, as C([http[s]://][host]/path).
        type: str
      method:
        description:
          - Method of an V(http) probe.
        type: str
        choices: [GET, HEAD, OPTIONS]
      force_ssl:
        description:
          - Use TLS for the check even where the servers do not.
        type: bool
  stickiness:
    description:
      - What keeps a client on its server. V(cookie) only for V(http).
    type: str
    choices: [cookie, sourceIp]
  vrack_network_id:
    description:
      - Private network through which the servers are reached. Needed once the service is in a vRack.
    type: int
  vrack_network:
    description:
      - Display name of that private network, instead of its id. V(null) takes the farm out of it.
    type: str
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
  - mailops.ovh_iplb.refresh
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer
  - module: mailops.ovh_iplb.server
"""

EXAMPLES = r"""
---
- name: Create a farm for SMTP, without making it live yet
  mailops.ovh_iplb.farm:
    service_name: loadbalancer-0123456789abcdef
    display_name: smtp
    zone: gra
    port: 25
    probe: {type: smtp, interval: 30}
    refresh: false
  delegate_to: localhost

- name: Take the probe away
  mailops.ovh_iplb.farm:
    service_name: loadbalancer-0123456789abcdef
    display_name: smtp
    probe: null
  delegate_to: localhost

- name: Delete a farm by its id
  mailops.ovh_iplb.farm:
    service_name: loadbalancer-0123456789abcdef
    farm_id: 77212
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

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import Spec
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FARM
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.single import run_single, spec_of


def argument_spec() -> Spec:
    return spec_of(FARM)


def main() -> None:
    run_single(FARM)


if __name__ == "__main__":
    main()
