# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's variables, each in the type that its argument specification says."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_options
short_description: Read the variables of a role of this collection in their types
version_added: 1.0.0
author:
  - mailops.ovh_iplb contributors (@mailops)
description:
  - Reads the variables that the argument specification of a role names, and converts each as the specification says. A
    text that stands for a list, a dictionary, a number or a boolean, as C(-e NAME=VALUE) gives it, becomes one.
  - The roles read their variables through it. Variables that are not set are left out.
options:
  _terms:
    description: The name of the role, without that of the collection.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the zones
  ansible.builtin.debug:
    msg: "{{ lookup('mailops.ovh_iplb.role_options', 'smtp_load_balancer').zones }}"
"""

RETURN = r"""
_raw:
  description: For each role a dictionary, by the names of the variables without that of the role.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import options


class LookupModule(LookupBase):
    def run(
        self, terms: t.Sequence[str], variables: t.Mapping[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, t.Any]]:
        known = variables or {}
        try:
            return [options.read(role, known, lambda name: self._templar.template(known[name])) for role in terms]
        except options.OptionError as error:
            raise AnsibleLookupError(str(error)) from error
