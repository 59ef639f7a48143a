#!/usr/bin/python

# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: refresh
short_description: Make the waiting changes of an OVHcloud Load Balancer live
description:
  - Publishes the changes that are waiting in the zones of an OVHcloud Load Balancer service, one refresh at a time,
    after any that already runs, and waits for the verdict of each.
  - Does nothing where no change is waiting.
  - A zone whose last refresh failed is refreshed too, also where the API counts no waiting change there any more.
  - The modules that write do the same by themselves, unless their O(mailops.ovh_iplb.load_balancer#module:refresh) is
    off.
options:
  zones:
    description: Zones to refresh; by default every zone with waiting changes.
    type: list
    elements: str
  wait:
    description: Wait until the refresh is done, and fail if it does not succeed.
    type: bool
    default: true
  wait_timeout:
    description: Seconds that each single wait may take.
    type: float
    default: 600.0
extends_documentation_fragment:
  - mailops.ovh_iplb.attributes
  - mailops.ovh_iplb.connection
author:
  - mailops.ovh_iplb contributors (@mailops)
seealso:
  - module: mailops.ovh_iplb.load_balancer
"""

EXAMPLES = r"""
---
- name: Publish what is waiting in one zone
  mailops.ovh_iplb.refresh:
    service_name: loadbalancer-0123456789abcdef
    zones: [gra]
  delegate_to: localhost

- name: Show what is waiting
  mailops.ovh_iplb.refresh:
    service_name: loadbalancer-0123456789abcdef
  check_mode: true
  diff: true
  delegate_to: localhost
"""

RETURN = r"""
---
changed:
  description: Whether changes were made live, or in check mode would be.
  returned: always
  type: bool
refreshed_zones:
  description: Zones that were refreshed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [gra]
pending_changes:
  description: Number of changes by zone that were waiting before the refresh, in the zones asked for.
  returned: success
  type: dict
  sample: {gra: 2}
tasks:
  description: The refresh tasks of the API, in their last known state.
  returned: when not in check mode
  type: list
  elements: dict
  sample:
    - {action: refreshIplb, creationDate: "2026-01-01T10:00:00+00:00", doneDate: "2026-01-01T10:00:20+00:00", id: 7,
       progress: 100, status: done, zones: [gra]}
"""

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import IplbError
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import (
    Spec,
    connection_options,
    wait_options,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import fail, refresh_pending
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def argument_spec() -> Spec:
    return {**connection_options(), "zones": {"type": "list", "elements": "str"}, **wait_options()}


def main() -> None:
    module = NullAwareModule(argument_spec=argument_spec(), supports_check_mode=True)
    result: Values = {"changed": False}
    try:
        refresh_pending(module, result)
    except IplbError as error:
        fail(module, error, result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
