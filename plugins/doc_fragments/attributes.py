# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What every module of the collection that talks to the API supports.
    DOCUMENTATION = r"""
options: {}
notes:
  - The module runs where its task runs. Let that be the controller, with C(delegate_to) or C(hosts) of V(localhost).
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Use C(group/mailops.ovh_iplb.all) in C(module_defaults) to set options of this module.
    support: full
    membership:
      - mailops.ovh_iplb.all
"""

    # The same for modules that only read.
    INFO = r"""
options: {}
notes:
  - The module runs where its task runs. Let that be the controller, with C(delegate_to) or C(hosts) of V(localhost).
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: N/A
    details: This module does not change anything.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Use C(group/mailops.ovh_iplb.all) in C(module_defaults) to set options of this module.
    support: full
    membership:
      - mailops.ovh_iplb.all
"""
