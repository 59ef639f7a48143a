# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be read about a service, in the collection's words. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from functools import partial

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import NOT_AS_DESCRIBED, Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    RESOURCES,
    child_of,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.service import settings_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Reader, by_zone, zones_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.verification import beyond_doubt, sample_agrees


def gather(api: Api, reader: Reader, parts: t.Collection[str]) -> Values:
    """The service and the asked-for parts of it, see PARTS."""
    return beyond_doubt(reader, lambda: _gather(api, reader, parts))


def _gather(api: Api, reader: Reader, parts: t.Collection[str]) -> Values:
    service = reader.service()
    result: Values = {
        "service": snake_case(service),
        "zones": zones_of(service),
    }
    for part, read in PARTS.items():
        if part in parts:
            result[part] = read(api, reader, service)
    return result


def _proved(reader: Reader, resource: Resource, owners: t.Sequence[tuple[str, int | None]]) -> list[Observed]:
    """The objects of these lists, of which a few are read again singly where the lists came whole."""
    found = reader.read(resource, owners)
    if not reader.lists.used or sample_agrees(resource, owners, found, reader):
        return found
    reader.lists.distrust()
    return reader.read(resource, owners)


def _nat_ip(api: Api, reader: Reader, service: Values) -> list[Values]:
    public = [{**snake_case(item), "vrack_network_id": None} for item in api.get_list(f"{reader.root}/natIp", dict)]
    if not service.get("vrackName"):
        return public
    networks = _each(api, reader, f"{reader.root}/vrack/network", "natIp", "vrackNetworkId")
    return public + [
        {"zone": None, "ip": [network["natIp"]], "vrack_network_id": network["vrackNetworkId"]} for network in networks
    ]


def _pending_changes(_api: Api, reader: Reader, service: Values) -> dict[str, int]:
    return by_zone(reader.pending(), zones_of(service))


def _quota(api: Api, reader: Reader, _service: Values) -> list[Values]:
    return [snake_case(quota) for quota in _each(api, reader, f"{reader.root}/quota")]


def _tasks(api: Api, reader: Reader, _service: Values) -> list[Values]:
    tasks = _each(api, reader, f"{reader.root}/task", "id")
    return [snake_case(task) for task in sorted(tasks, key=lambda task: task["id"])]


def _objects(resource: Resource, _api: Api, reader: Reader, _service: Values) -> list[Values]:
    """All objects of a kind, with their children."""
    protocols = reader.defined(resource) & set(resource.protocols)
    found = _proved(reader, resource, [(protocol, None) for protocol in sorted(protocols)])
    child = child_of(resource)
    children = _proved(reader, child, [item.identity for item in found]) if child else []
    return [_told(item, child, children) for item in found]


def _told(item: Observed, child: Resource | None, children: t.Sequence[Observed]) -> Values:
    told: Values = {item.resource.id_option: item.id}
    if item.protocol and not item.resource.parent:
        told["protocol"] = item.protocol
    told.update(item.values)
    told.update({name: snake_case(value) for name, value in item.facts.items()})
    if child:
        told[child.plural] = [
            _told(other, None, ()) for other in children if (other.protocol, other.parent_id) == item.identity
        ]
    return told


def _each(api: Api, reader: Reader, path: str, *needed: str) -> list[Values]:
    """The objects of a list, without those that are gone since: tasks that are over are not kept for ever.

    :raises ApiError: where one has not the fields that are needed.
    """
    answers = reader.lists.objects([f"{path}/{item}" for item in api.get_list(path, (int, str))])
    found = [item for item in answers if item is not None]
    if any(item.get(name) is None for item in found for name in needed):
        raise ApiError(NOT_AS_DESCRIBED, call=f"GET {path}")
    return found


PARTS: dict[str, t.Callable[[Api, Reader, Values], t.Any]] = {
    "settings": settings_of,
    "nat_ip": _nat_ip,
    "pending_changes": _pending_changes,
    "quota": _quota,
    "tasks": _tasks,
    **{resource.plural: partial(_objects, resource) for resource in RESOURCES if not resource.parent},
}


def snake_case(value: t.Any) -> t.Any:
    """An answer of the API with its camelCase keys in snake_case, at every depth."""
    if isinstance(value, dict):
        return {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower(): snake_case(item) for key, item in value.items()}
    if isinstance(value, list):
        return [snake_case(item) for item in value]
    return value
