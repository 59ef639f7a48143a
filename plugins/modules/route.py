#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: route
short_description: Manage a route of an OVHcloud Load Balancer
description:
  - Creates, changes or deletes one route of an OVHcloud Load Balancer service, with its rules. A route leads what its
    rules match to another farm, to another URL, or nowhere.
  - The API allows 50 routes for a service and 5 rules for a route.
  - An option that is absent leaves what is there. V(null) resets a field to its default at the API. Any value, V(0),
    V(false) and V([]) included, is set.
options:
  display_name:
    description:
      - Name of the route. Together with its protocol it is the route's identity, so adopting a route that was made by
        hand is just naming it.
      - Two routes of one name are an error that lists their ids.
    type: str
  route_id:
    description:
      - Id of an existing route, instead of its name; then O(display_name) renames it.
    type: int
  protocol:
    description:
      - Protocol of the route.
    type: str
    choices: [tcp, http]
    default: tcp
  state:
    description:
      - Whether the route is to exist. Its rules go with it.
    type: str
    choices: [present, absent]
    default: present
  frontend:
    description:
      - Display name of the frontend whose connections the route takes, in the route's protocol. V(null) detaches it.
    type: str
  frontend_id:
    description:
      - Id of that frontend. Excludes O(frontend).
    type: int
  weight:
    description:
      - Routes of one kind of action are tried by ascending weight, V(0) to V(255). The first whose rules all match is
        taken.
    type: int
  action:
    description:
      - What happens to a connection that the rules match. Given whole, and needed for a new route.
    type: dict
    suboptions:
      type:
        description:
          - V(farm) leads to another farm, V(reject) ends it. V(redirect) is for V(http) only.
          - What a service offers is its C(availableRouteActions), so there is no list of choices here.
        type: str
      farm:
        description:
          - Display name of the farm that V(farm) leads to, in the route's protocol.
        type: str
      target:
        description:
          - Id of that farm, or the URL of a V(redirect). Excludes O(action.farm).
          - "A URL may hold C(${protocol}), C(${domain}), C(${host}), C(${port}), C(${path}) and C(${arguments})."
        type: str
      status:
        description:
          - HTTP status of a V(redirect) or a V(reject).
        type: int
  rules:
    description:
      - Conditions that all have to match. The list is whole. What it does not hold is taken away, since one rule too
        many and a route never matches.
      - An entry is a rule that is there already when both say the same, or have the same name; the others are changed
        into what the list says.
    type: list
    elements: dict
    suboptions:
      display_name:
        description:
          - Name of the rule, for people and to find it again when its condition changes.
        type: str
      rule_id:
        description:
          - Id of an existing rule of this route.
        type: int
      field:
        description:
          - What to look at, such as V(host), V(uri), V(source), V(header) or V(protocol).
          - What a service offers is its C(availableRouteRules), so there is no list of choices here.
        type: str
      match:
        description:
          - How to compare, such as V(is), V(in), V(startswith), V(contains), V(matches) or V(exists).
        type: str
      negate:
        description:
          - Match what the rule does not describe.
        type: bool
      pattern:
        description:
          - What to compare with.
        type: str
      sub_field:
        description:
          - Name of the header, cookie or parameter, where O(rules[].field) has such.
        type: str
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
  - mailops.ovh_iplb.refresh
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.frontend
  - module: mailops.ovh_iplb.load_balancer
"""

EXAMPLES = r"""
---
- name: Lead one path of the webmail to another farm
  mailops.ovh_iplb.route:
    service_name: loadbalancer-0123456789abcdef
    protocol: http
    display_name: attachments
    frontend: webmail
    weight: 10
    action: {type: farm, farm: attachments}
    rules:
      - {field: uri, match: startswith, pattern: /attachments/}
  delegate_to: localhost

- name: Let nobody but the office reach the administration
  mailops.ovh_iplb.route:
    service_name: loadbalancer-0123456789abcdef
    protocol: http
    display_name: administration
    frontend: webmail
    action: {type: reject, status: 403}
    rules:
      - {field: uri, match: startswith, pattern: /admin}
      - {field: source, match: in, pattern: 203.0.113.0/24, negate: true}
  delegate_to: localhost

- name: Delete a route with its rules
  mailops.ovh_iplb.route:
    service_name: loadbalancer-0123456789abcdef
    protocol: http
    display_name: attachments
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
routes:
  description: The route, with its rules, as far as it was read or written.
  returned: success, when not in check mode
  type: list
  elements: dict
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import Spec
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import ROUTE
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.single import run_single, spec_of


def argument_spec() -> Spec:
    return spec_of(ROUTE)


def main() -> None:
    run_single(ROUTE)


if __name__ == "__main__":
    main()
