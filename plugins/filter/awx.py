# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters with which the playbook mailops.ovh_iplb.awx decides."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._awx import connection as awx_connection
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._awx import plan as awx

Values = t.Mapping[str, t.Any]


def awx_plan(declared: Values, present: t.Mapping[str, t.Sequence[Values]], check_mode: bool = False) -> Values:
    """What to do in AWX. See awx_plan.yml."""
    # Names are others': what looks like a template in them must never be run.
    plan: Values = wrap_var(awx.plan(declared, present, check_mode))
    return plan


def awx_lookup_options(connection: Values) -> Values:
    """Options of the lookup awx.awx.controller_api. See awx_lookup_options.yml."""
    try:
        return awx_connection.lookup_options(connection)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def awx_endpoint(connection: Values) -> Values:
    """Where to send requests, and the headers for them. See awx_endpoint.yml."""
    try:
        return awx_connection.endpoint(connection, os.environ)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "awx_plan": awx_plan,
            "awx_lookup_options": awx_lookup_options,
            "awx_endpoint": awx_endpoint,
        }
