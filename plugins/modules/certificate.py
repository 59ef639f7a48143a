#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate
short_description: Manage a certificate of an OVHcloud Load Balancer
description:
  - Uploads, renames or deletes one certificate of an OVHcloud Load Balancer service.
  - The material is known by its fingerprint, so the same certificate is uploaded once. New material is uploaded under
    the same name; then every frontend that named the old certificate is led to the new one, that is made live, and only
    then the old one is deleted. A run that is cut in between leaves both, and the next one finishes.
  - "All certificates are offered on every TLS frontend by SNI. So the old one is deleted only when it is of type
    V(custom), the only one of its name, when all its names are in the new one, it expires earlier, and no frontend
    names it on a fresh read. Else it stays, and a warning says why."
  - A certificate that expires before the one of its name that is there is refused.
  - With O(refresh=false) or O(wait=false) both stay, since nothing goes before its successor is live.
options:
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
      - The API does not show it. A changed chain alone is not noticed; see O(force).
    type: str
  key:
    description:
      - Private key of O(certificate) in PEM form, unencrypted. Needed to upload it; never shown.
      - Let it come from Ansible Vault, or from a file with P(ansible.builtin.file#lookup).
    type: str
  key_file:
    description:
      - File with that key on the host where the module runs, so that no variable holds it. Excludes O(key).
    type: path
  force:
    description:
      - Upload the certificate also where it is there already, under the same steps as new material, for a changed
        O(chain) alone. Each such run uploads again, so use it once.
      - Where the API refuses what it has already, the task fails and changes nothing.
    type: bool
    default: false
  fqdn:
    description:
      - Names of hosts for which OVHcloud is to make a free certificate, and to renew it. They must lead to the load
        balancer. Its task is waited for.
      - Nothing is ordered while a certificate of type C(built) for just these names is good. It is given the
        O(display_name), where that is written.
      - Excludes O(certificate), O(chain), O(key), O(key_file), O(force) and O(certificate_id).
    type: list
    elements: str
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
- name: Upload a certificate, or renew it
  mailops.ovh_iplb.certificate:
    service_name: loadbalancer-0123456789abcdef
    display_name: mail.example.com
    certificate: "{{ lookup('ansible.builtin.file', '/etc/letsencrypt/live/mail.example.com/cert.pem') }}"
    chain: "{{ lookup('ansible.builtin.file', '/etc/letsencrypt/live/mail.example.com/chain.pem') }}"
    key: "{{ lookup('ansible.builtin.file', '/etc/letsencrypt/live/mail.example.com/privkey.pem') }}"
  delegate_to: localhost

- name: Upload a certificate whose key no variable holds
  mailops.ovh_iplb.certificate:
    service_name: loadbalancer-0123456789abcdef
    display_name: mail.example.com
    certificate: "{{ lookup('ansible.builtin.file', '/etc/letsencrypt/live/mail.example.com/cert.pem') }}"
    key_file: /etc/letsencrypt/live/mail.example.com/privkey.pem
  delegate_to: localhost

- name: Have OVHcloud make a certificate and renew it
  mailops.ovh_iplb.certificate:
    service_name: loadbalancer-0123456789abcdef
    display_name: webmail
    fqdn: [webmail.example.com]
  delegate_to: localhost

- name: Delete a certificate that no frontend names
  mailops.ovh_iplb.certificate:
    service_name: loadbalancer-0123456789abcdef
    display_name: old.example.com
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
certificates:
  description: The certificate, with C(expire_date), C(san), C(fingerprint) and C(type); never its key.
  returned: success, when not in check mode
  type: list
  elements: dict
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_object
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.key_files import with_key
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import (
    Spec,
    connection_options,
    own_options,
    refresh_options,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import CERTIFICATE
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.settings import desired_order
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def argument_spec() -> Spec:
    return {**connection_options(), **own_options(CERTIFICATE), **_order_options(), **refresh_options()}


def _order_options() -> Spec:
    return {"fqdn": {"type": "list", "elements": "str"}}


def desired(written: Values) -> Desired:
    if "fqdn" in written:
        return Desired(free=desired_order(written))
    own = own_options(CERTIFICATE)
    entry = with_key({name: value for name, value in written.items() if name in own})
    return Desired((desired_object(CERTIFICATE, entry),))


def main() -> None:
    module = NullAwareModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, desired)


if __name__ == "__main__":
    main()
