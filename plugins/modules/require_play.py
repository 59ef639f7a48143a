#!/usr/bin/python
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: require_play
short_description: Refuse a play with which the roles could not keep their promises
description:
  - Fails, before anything is changed, where a play has another strategy than V(linear), where C(serial) leaves out
    hosts that a role speaks for, or takes more than one where it changes one at a time, where C(--tags) or
    C(--skip-tags) leave out a step that makes another safe or leave nothing at all, and where a variable of a role is
    not of the type that its argument specification says.
  - The roles and playbooks of this collection begin with it. Runs on the controller, and changes nothing.
version_added: 1.0.0
author:
  - mailops.ovh_iplb contributors (@mailops)
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
options:
  roles:
    description: The roles of this collection whose variables are checked.
    type: list
    elements: str
    default: []
  hosts:
    description:
      - Whom one run of the role speaks for. V(all) is all hosts of the play at once, so that C(serial) must not leave
        any out. V(one) is one host, so that the play needs C(serial=1).
    type: str
    choices: [all, one, any]
    default: any
  parts:
    description: The tags of the parts of a playbook, each with a list of those that it must not run without.
    type: dict
seealso:
  - plugin: mailops.ovh_iplb.role_options
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Require that the parts run together
  mailops.ovh_iplb.require_play:
    parts:
      prepare: []
      change: [prepare]
  tags: always
"""

RETURN = r""" # """
