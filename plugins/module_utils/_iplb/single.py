# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules for one object of a kind, all of which derives from its row of the table. Private to the collection."""

from __future__ import annotations

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, desired_object
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import (
    Spec,
    connection_options,
    own_options,
    refresh_options,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.runner import run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule


def spec_of(resource: Resource) -> Spec:
    return {**connection_options(), **own_options(resource), **refresh_options()}


def run_single(resource: Resource) -> None:
    """Bring the object that the task names to what it says of it, and end the module."""

    def desired(written: Values) -> Desired:
        own = own_options(resource)
        return Desired((desired_object(resource, {name: value for name, value in written.items() if name in own}),))

    run(NullAwareModule(argument_spec=spec_of(resource), supports_check_mode=True), desired)
