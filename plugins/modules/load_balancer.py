#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: load_balancer
short_description: Declare the whole configuration of an OVHcloud Load Balancer
description:
  - Brings farms, their servers and frontends of one OVHcloud Load Balancer service to the declared state, in the order
    that the API needs, and makes the result live.
  - An option that is absent leaves what is there. V(null) resets a field to its default at the API. Any value, V(0),
    V(false) and V([]) included, is set.
  - What the task does not name is left alone, unless a purge option says otherwise.
options:
  farms:
    description: Farms to manage, with their servers.
    type: list
    elements: dict
    suboptions:
      display_name:
        description:
          - Name of the farm. Together with protocol and zone it is the farm's identity, so adopting a farm that was
            made by hand is just naming it.
          - Two farms of one name are an error that lists their ids.
        type: str
      farm_id:
        description:
          - Id of an existing farm, instead of its name; then O(farms[].display_name) renames it.
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
          - Let another farm take the place of this one where O(farms[].zone) differs, which can not change. The new
            farm gets all that the old one has, whatever led to the old one is led to it, and when it is live and
            healthy the old one goes.
          - The old farm is the one of O(farms[].farm_id), or the only one of its name that no entry of the task names.
          - Its id is gone afterwards. A task with O(farms[].farm_id) can run again where O(farms[].display_name) and
            O(farms[].zone) tell the new farm; without them it fails and says so.
          - If the new farm does not become healthy, frontends and routes go back to the old one. A run that is cut is
            finished by the next one.
          - Needs a probe on the farm and on each active server.
        type: bool
        default: false
      zone:
        description:
          - Zone in which the farm is deployed, such as V(gra), or V(all) for every zone of the service. Upper and
            lower case are the same.
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
          - How the servers are checked. What is written is merged with the probe that is there; V(null) takes the
            probe away.
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
              - What makes an answer good. Only V(default) for V(smtp), V(mysql), V(pgsql) and V(oco) probes;
                V(status) only for V(http).
            type: str
            choices: [contains, default, matches, status]
          negate:
            description:
              - Invert O(farms[].probe.match), which must be given too.
            type: bool
          pattern:
            description:
              - What O(farms[].probe.match) looks for.
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
      servers:
        description: Servers of the farm. Others stay, unless O(purge_servers) is on.
        type: list
        elements: dict
        suboptions:
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
              - "Port of the server; without it, the farm's. Part of the server's identity: a server without port
                equals one with the farm's."
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
  frontends:
    description: Frontends to manage.
    type: list
    elements: dict
    suboptions:
      display_name:
        description:
          - Name of the frontend. Together with protocol and zone it is the frontend's identity.
          - Two frontends of one name are an error that lists their ids.
        type: str
      frontend_id:
        description:
          - Id of an existing frontend, instead of its name; then O(frontends[].display_name) renames it.
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
          - Display name of the farm that gets the connections. It is looked for in the frontend's protocol, and in
            its zone or in V(all); V(null) detaches it.
        type: str
      zone:
        description:
          - Zone in which the frontend listens, such as V(gra), or V(all) for every zone of the service. Upper and
            lower case are the same.
          - Needed for a new frontend. May be left out where the name is unique.
          - Can change, together with O(frontends[].default_farm) unless that is in V(all).
        type: str
      port:
        description:
          - "Ports to listen on: a port, a range V(a-b), or a comma list of those, each V(1) to V(49151). Needed for a
            new frontend."
        type: str
      default_farm_id:
        description:
          - Id of the farm that gets the connections. Excludes O(frontends[].default_farm).
        type: int
      allowed_source:
        description:
          - Networks in CIDR form that may connect; V([]) is everybody. Excludes O(frontends[].denied_source).
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
  routes:
    description: Routes to manage, with their rules.
    type: list
    elements: dict
    suboptions:
      display_name:
        description:
          - Name of the route. Together with its protocol it is the route's identity, so adopting a route that was made
            by hand is just naming it.
          - Two routes of one name are an error that lists their ids.
        type: str
      route_id:
        description:
          - Id of an existing route, instead of its name; then O(routes[].display_name) renames it.
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
          - Display name of the frontend whose connections the route takes, in the route's protocol. V(null) detaches
            it.
        type: str
      frontend_id:
        description:
          - Id of that frontend. Excludes O(routes[].frontend).
        type: int
      weight:
        description:
          - Routes of one kind of action are tried by ascending weight, V(0) to V(255). The first whose rules all match
            is taken.
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
              - Id of that farm, or the URL of a V(redirect). Excludes O(routes[].action.farm).
              - "A URL may hold C(${protocol}), C(${domain}), C(${host}), C(${port}), C(${path}) and C(${arguments})."
            type: str
          status:
            description:
              - HTTP status of a V(redirect) or a V(reject).
            type: int
      rules:
        description:
          - Conditions that all have to match. The list is whole. What it does not hold is taken away, since one rule
            too many and a route never matches.
          - An entry is a rule that is there already when both say the same, or have the same name; the others are
            changed into what the list says.
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
              - Name of the header, cookie or parameter, where O(routes[].rules[].field) has such.
            type: str
  certificates:
    description:
      - Certificates to manage. New material under a name takes the place of the old, as M(mailops.ovh_iplb.certificate)
        tells. A purge never takes one.
    type: list
    elements: dict
    suboptions:
      display_name:
        description:
          - Name of the certificate. New material under the same name takes the place of the old.
        type: str
      certificate_id:
        description:
          - Id of an existing certificate, to rename or to delete it.
        type: int
      state:
        description:
          - Whether the certificate is to exist.
        type: str
        choices: [present, absent]
        default: present
      certificate:
        description:
          - The certificate in PEM form. It is the one that is there when their fingerprints are the same.
        type: str
      chain:
        description:
          - Certificates between this one and the root, in PEM form.
          - The API does not show it. A changed chain alone is not noticed; see O(certificates[].force).
        type: str
      key:
        description:
          - Private key of O(certificates[].certificate) in PEM form, unencrypted. Needed to upload it; never shown.
          - Let it come from Ansible Vault, or from a file with P(ansible.builtin.file#lookup).
        type: str
      key_file:
        description:
          - File with that key on the host where the module runs, so that no variable holds it. Excludes
            O(certificates[].key).
        type: path
      force:
        description:
          - Upload the certificate also where it is there already, under the same steps as new material, for a
            changed O(certificates[].chain) alone. Each such run uploads again, so use it once.
          - Where the API refuses what it has already, the task fails and changes nothing.
        type: bool
        default: false
  vrack_networks:
    description: Private networks to manage.
    type: list
    elements: dict
    suboptions:
      display_name:
        description:
          - Name of the private network, by which it is found.
          - Two networks of one name are an error that lists their ids.
        type: str
      vrack_network_id:
        description:
          - Id of an existing network, instead of its name; then O(vrack_networks[].display_name) renames it.
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
          - Part of O(vrack_networks[].subnet), in CIDR form, from which the load balancer speaks to the servers.
            Needed for a new network.
          - The firewalls of the servers must let it in.
        type: str
      vlan:
        description:
          - VLAN of the network, V(1) to V(4094), or V(0) for none.
        type: int
  settings:
    description:
      - What is wanted of the service itself, as M(mailops.ovh_iplb.service) tells.
      - With O(settings.vrack) the service is attached before anything else is written, and leaves a vRack after it; the
        task has to give every farm its network and servers with private addresses, or no network.
    type: dict
    suboptions:
      display_name:
        description:
          - Name of the service in the control panel, of 50 characters at most.
        type: str
      ssl_configuration:
        description:
          - Which TLS versions and ciphers the frontends offer. V(null) means V(intermediate).
        type: str
        choices: [intermediate, modern]
      quota_alerts:
        description:
          - By zone, from how many bytes of traffic in a month on OVHcloud writes a mail; V(null) for none.
        type: dict
      vrack:
        description:
          - Name of the vRack that the service is to be in. V(null) leaves it.
        type: str
  purge_farms:
    description: Delete farms of the O(purge_protocols) that O(farms) does not list, with their servers.
    type: bool
    default: false
  purge_servers:
    description: Delete servers that are not listed, in the farms that list servers.
    type: bool
    default: false
  purge_frontends:
    description: Delete frontends of the O(purge_protocols) that O(frontends) does not list.
    type: bool
    default: false
  purge_routes:
    description: Delete routes of the O(purge_protocols) that O(routes) does not list.
    type: bool
    default: false
  purge_vrack_networks:
    description: Delete private networks that O(vrack_networks) does not list.
    type: bool
    default: false
  purge_protocols:
    description: Protocols that the purge options reach.
    type: list
    elements: str
    choices: [tcp, http, udp]
    default: [tcp]
  gather:
    description:
      - What to return in RV(existing), as it is before the run.
      - In check mode nothing is asked of the API twice, so one task tells what is there and what would become of it,
        for the calls of one.
    type: list
    elements: str
    choices: [settings, nat_ip, pending_changes, quota, tasks, vrack_networks, certificates, farms, frontends, routes]
    default: []
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
  - mailops.ovh_iplb.refresh
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer_info
  - module: mailops.ovh_iplb.refresh
  - name: Configuring SMTP on a Load Balancer service
    description: The vendor's guide that this module carries out in one task.
    link: https://help.ovhcloud.com/csm/en-load-balancer-case-smtp
"""

EXAMPLES = r"""
---
- name: Balance SMTP over two Postfix hosts
  mailops.ovh_iplb.load_balancer:
    service_name: loadbalancer-0123456789abcdef
    farms:
      - display_name: smtp
        zone: gra
        port: 25
        probe: {type: smtp, interval: 30}
        servers:
          - {address: 192.0.2.11, status: active, probe: true, proxy_protocol_version: v1}
          - {address: 192.0.2.12, status: active, probe: true, proxy_protocol_version: v1}
    frontends:
      - {display_name: smtp, zone: gra, port: "25", default_farm: smtp}
    wait_for_healthy: true
  delegate_to: localhost

- name: Show what differs, and change nothing
  mailops.ovh_iplb.load_balancer:
    service_name: loadbalancer-0123456789abcdef
    farms:
      - display_name: smtp
        zone: gra
        balance: leastconn
        stickiness: null  # reset to the API's default
  check_mode: true
  diff: true
  delegate_to: localhost

- name: Take away every server that is not listed
  mailops.ovh_iplb.load_balancer:
    service_name: loadbalancer-0123456789abcdef
    farms:
      - display_name: smtp
        zone: gra
        servers:
          - {address: 192.0.2.11, status: active}
    purge_servers: true
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
routes:
  description: The routes that the task names, with their rules.
  returned: success, when not in check mode and the task names any
  type: list
  elements: dict
certificates:
  description: The certificates that the task names, with C(expire_date) and C(type); never their keys.
  returned: success, when not in check mode and the task names any
  type: list
  elements: dict
vrack_networks:
  description: The private networks that the task names.
  returned: success, when not in check mode and the task names any
  type: list
  elements: dict
settings:
  description: The settings that the task names, as they are now.
  returned: success, when not in check mode and the task has O(settings)
  type: dict
  sample: {display_name: mail, quota_alerts: {gra: 1000000000}}
existing:
  description: The service and the parts of it that O(gather) names, as M(mailops.ovh_iplb.load_balancer_info) returns
    them.
  returned: success, when O(gather) names any
  type: dict
  sample: {service: {service_name: loadbalancer-0123456789abcdef}, zones: [gra, rbx], pending_changes: {gra: 2}}
"""

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_load_balancer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import PARTS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.key_files import with_key
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import (
    Spec,
    connection_options,
    list_of,
    refresh_options,
    settings_options,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import PROTOCOLS, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def argument_spec() -> Spec:
    return {
        **connection_options(),
        **{resource.plural: list_of(resource) for resource in RESOURCES if not resource.parent},
        "settings": {"type": "dict", "options": settings_options()},
        **{f"purge_{resource.plural}": _switch() for resource in RESOURCES if resource.purge and not resource.owned},
        "purge_protocols": {"type": "list", "elements": "str", "choices": list(PROTOCOLS), "default": ["tcp"]},
        "gather": {"type": "list", "elements": "str", "choices": list(PARTS), "default": []},
        **refresh_options(),
    }


def _switch() -> dict[str, t.Any]:
    return {"type": "bool", "default": False}


def desired(written: Values) -> Desired:
    if not written.get("certificates"):
        return desired_load_balancer(written)
    return desired_load_balancer({**written, "certificates": [with_key(entry) for entry in written["certificates"]]})


def main() -> None:
    module = NullAwareModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, desired)


if __name__ == "__main__":
    main()
