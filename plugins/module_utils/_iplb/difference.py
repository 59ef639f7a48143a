# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry of a task changes about its object, or creates it with. Pure. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import DesiredObject
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import End
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import is_new, plain
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Field, Resource, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import same


def changed_fields(wanted: DesiredObject, values: Values, current: Values, parent: End | None) -> Values:
    """The fields whose wanted value is not what is there; what is merged whole."""
    resource, where = wanted.resource, wanted.where
    if resource.owned:
        values = {**_unsaid(resource, wanted.protocol), **values}
    changes: Values = {}
    for name, value in values.items():
        known = resource.field(name)
        if known.merge:
            value = known.merge(value, current.get(name), f"{where}: {name}")
        if known.write_only or _is_the_same(known, value, current.get(name), parent):
            continue
        if known.create_only:
            raise InvalidInput(
                f"{where}: {name} can not change from {current.get(name)} to {value} on an existing {resource.kind}; "
                f"create another {resource.kind} and delete this one"
            )
        changes[name] = value
    return changes


def _unsaid(resource: Resource, protocol: str) -> Values:
    """What an entry of a list that is whole does not say: the defaults. Its name is for people, and stays."""
    optional = [known for known in resource.fields_for(protocol) if protocol not in known.required]
    return {known.name: None for known in optional if known.name != "display_name"}


def _is_the_same(known: Field, value: t.Any, current: t.Any, parent: End | None) -> bool:
    if is_new(value):
        return False
    if same(known, plain(known, value), current):
        return True
    inherited = parent.values.get(known.name) if parent and known.inherits else None
    return inherited is not None and (value or inherited) == (current or inherited)


def creation(wanted: DesiredObject, values: Values) -> Values:
    """The values to create an object with: null means the default, so it is left out."""
    for known in wanted.resource.fields_for(wanted.protocol):
        if wanted.protocol in known.required and values.get(known.name) is None:
            raise InvalidInput(f"{wanted.where}: {known.name} is missing; a new {wanted.resource.kind} needs it")
    result: Values = {}
    for name, value in values.items():
        known = wanted.resource.field(name)
        if known.merge:
            value = known.merge(value, None, f"{wanted.where}: {name}")
        if value is not None:
            result[name] = value
    return result
