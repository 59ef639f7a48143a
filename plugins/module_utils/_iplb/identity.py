# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which object an entry of a task means. Pure. Private to the collection.

Nothing but the numeric id is unique in the API, so every way to name an object may find none, one or too many.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import DesiredObject
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.material import fingerprint_of, read_material
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import same

Pair = tuple[DesiredObject, t.Optional[Observed]]


@dataclass(frozen=True)
class Family:
    """The parent of what is matched: its values before and after the run, for what its children inherit."""

    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)


def match(
    resource: Resource, wanted: t.Sequence[DesiredObject], existing: t.Sequence[Observed], family: Family
) -> list[Pair]:
    """Each entry with the object that it means, or None where it is to be created.

    :raises InvalidInput: when an entry means several objects, or several entries one.
    """
    found = _WAYS[resource.identity](resource, wanted, existing, family)
    return list(zip(wanted, found))


# By name


def _by_name(
    resource: Resource, wanted: t.Sequence[DesiredObject], existing: t.Sequence[Observed], _family: Family
) -> list[Observed | None]:
    found = [_one_by_name(resource, entry, existing) for entry in wanted]
    pairs = list(zip(wanted, found))
    _check_twins(pairs)
    _check_namesakes(pairs)
    return found


def _one_by_name(resource: Resource, wanted: DesiredObject, existing: t.Sequence[Observed]) -> Observed | None:
    """The one object that is meant: by id, else by protocol, display name and, where given, zone."""
    alike = [item for item in existing if item.protocol == wanted.protocol]
    what = " ".join(word for word in (wanted.protocol, resource.kind) if word)
    if wanted.id is not None:
        found = [item for item in alike if item.id == wanted.id] or _in_its_place(wanted, alike)
        if not found and wanted.present:
            remedy = f"; if another has taken its place, give its display_name and zone, without {resource.id_option}"
            raise InvalidInput(
                f"{wanted.where}: {resource.id_option} {wanted.id} is not a {what} of this service"
                + (remedy if wanted.replace else "")
            )
        return found[0] if found else None
    found = [
        item
        for item in alike
        if item.name == wanted.name and (wanted.zone is None or item.values.get("zone") == wanted.zone)
    ]
    if len(found) > 1:
        listed = ", ".join(_with_zone(item) for item in sorted(found, key=lambda item: item.id))
        or_zone = " or zone" if "zone" in found[0].values and not wanted.zone else ""
        raise InvalidInput(
            f"{wanted.where}: {len(found)} {what}s have this name: ids {listed}; say which with "
            f"{resource.id_option}{or_zone}"
        )
    return found[0] if found else None


def _in_its_place(wanted: DesiredObject, alike: t.Sequence[Observed]) -> list[Observed]:
    """What an earlier run made in the place of an object whose id is gone: it has the name and zone of the entry."""
    if not (wanted.replace and wanted.present and wanted.name and wanted.zone):
        return []
    found = [item for item in alike if (item.name, item.values.get("zone")) == (wanted.name, wanted.zone)]
    return found if len(found) == 1 else []


def _with_zone(item: Observed) -> str:
    return f"{item.id} (zone {item.values['zone']})" if "zone" in item.values else str(item.id)


def _check_twins(pairs: t.Sequence[Pair]) -> None:
    """Two entries of a task must not mean the same object."""
    seen: dict[t.Any, str] = {}
    for wanted, observed in pairs:
        identifier = observed.id if observed else wanted.id
        identity = (wanted.protocol, identifier) if identifier else (wanted.protocol, wanted.zone, wanted.name)
        if identity in seen:
            raise InvalidInput(f"{seen[identity]} and {wanted.where} are the same object; keep one of them")
        seen[identity] = wanted.where


def _check_namesakes(pairs: t.Sequence[Pair]) -> None:
    """A name must still mean one entry after the run, or the next run could not tell them apart."""
    ends = [
        (wanted, {**(observed.values if observed else {}), **wanted.values})
        for wanted, observed in pairs
        if wanted.present
    ]
    for wanted in (pair[0] for pair in pairs if pair[0].id is None):
        for other, end in ends:
            same_place = wanted.protocol == other.protocol and wanted.zone in (None, end.get("zone"))
            if other is not wanted and same_place and wanted.name == end.get("display_name"):
                raise InvalidInput(
                    f"{wanted.where} and {other.where} would have the same name; give one of them another "
                    "display_name, or say which is meant with its zone or id"
                )


# By address


def _by_address(
    resource: Resource, wanted: t.Sequence[DesiredObject], existing: t.Sequence[Observed], family: Family
) -> list[Observed | None]:
    """By the port that a server has now, else by the one that it will inherit."""
    old, new = family.before.get("port"), family.after.get("port")
    found = [_one_by_address(entry, existing, old) for entry in wanted]
    taken = {item.id for item in found if item}
    free = [server for server in existing if server.id not in taken]
    found = [item or _one_by_address(entry, free, new) for entry, item in zip(wanted, found)]
    _check_twin_servers(list(zip(wanted, found)), new)
    return found


def _one_by_address(wanted: DesiredObject, existing: t.Sequence[Observed], port: int | None) -> Observed | None:
    """The one server that is meant: by id, else by address and effective port; without port, the address alone."""
    if wanted.id is not None:
        return _by_id_and_address(wanted, existing)
    found = [server for server in existing if server.values["address"] == wanted.values.get("address")]
    if "port" in wanted.values:
        meant = wanted.values["port"] or port
        found = [server for server in found if (server.values["port"] or port) == meant]
    if len(found) > 1:
        listed = ", ".join(f"{server.id} (port {server.values['port'] or port})" for server in found)
        raise InvalidInput(
            f"{wanted.where}: {len(found)} servers match: ids {listed}; say which with port or server_id"
        )
    return found[0] if found else None


def _by_id_and_address(wanted: DesiredObject, existing: t.Sequence[Observed]) -> Observed | None:
    """An address can not change, so one that is not that of the id tells that one of the two is a mistake."""
    found = next((server for server in existing if server.id == wanted.id), None)
    address = found and found.values["address"]
    if found and not wanted.present and wanted.values.get("address", address) != address:
        raise InvalidInput(
            f"{wanted.where}: server_id {wanted.id} is the server {address}; correct the address, or leave it out"
        )
    return found


def _check_twin_servers(pairs: t.Sequence[Pair], farm_port: int | None) -> None:
    seen: set[t.Any] = set()
    for wanted, observed in pairs:
        port = wanted.values.get("port") or farm_port
        identity = (observed.id if observed else wanted.id) or (wanted.values.get("address"), port)
        if identity in seen:
            raise InvalidInput(f"{wanted.where} stands twice in the list; keep one entry for each address and port")
        seen.add(identity)
    by_address = [pair[0] for pair in pairs if pair[0].id is None]
    addresses = [wanted.values.get("address") for wanted in by_address]
    for wanted in by_address:
        if "port" not in wanted.values and addresses.count(wanted.values.get("address")) > 1:
            raise InvalidInput(f"{wanted.where}: the list has this address more than once; give each entry its port")


# By fingerprint


def _by_fingerprint(
    resource: Resource, wanted: t.Sequence[DesiredObject], existing: t.Sequence[Observed], family: Family
) -> list[Observed | None]:
    """The certificate of just this material; without material by name, like anything else."""
    by_name = [entry for entry in wanted if not _has_material(entry)]
    named = dict(zip(map(id, by_name), _by_name(resource, by_name, existing, family)))
    found = [named[id(entry)] if id(entry) in named else _one_by_fingerprint(entry, existing) for entry in wanted]
    _check_twins(list(zip(wanted, found)))
    return found


def _has_material(entry: DesiredObject) -> bool:
    return bool(entry.present and entry.values.get("certificate"))


def _one_by_fingerprint(wanted: DesiredObject, existing: t.Sequence[Observed]) -> Observed | None:
    if wanted.id is not None:
        raise InvalidInput(
            f"{wanted.where}: certificate and certificate_id exclude each other: the material of a certificate can not "
            "change; give it under its display_name, and it takes the place of the one of that name"
        )
    material = read_material(wanted.values["certificate"], wanted.where)
    if wanted.force:
        return None
    unknown = [item.id for item in existing if fingerprint_of(item.facts.get("fingerprint")) is None]
    if unknown:
        raise InvalidInput(
            f"{wanted.where}: the API shows the fingerprint of certificate {unknown[0]} in an unknown form, so it can "
            "not be told whether this one is there already; report it, and upload it by hand meanwhile"
        )
    found = [item for item in existing if fingerprint_of(item.facts.get("fingerprint")) in material.fingerprints]
    alike = [item for item in found if item.name == wanted.name] or found
    return max(alike, key=lambda item: item.id, default=None)


# By content


def _by_content(
    resource: Resource, wanted: t.Sequence[DesiredObject], existing: t.Sequence[Observed], _family: Family
) -> list[Observed | None]:
    """A list that is whole: equal ones first, then those of one name, then any that is left is changed into one."""
    found: list[Observed | None] = [None] * len(wanted)
    left = sorted(existing, key=lambda item: item.id)
    for fits in (_is_meant_by_id, _is_equal, _has_its_name, _is_any):
        for place, entry in enumerate(wanted):
            if found[place] is None and entry.present:
                found[place] = next((item for item in left if fits(resource, entry, item)), None)
                left = [item for item in left if item is not found[place]]
    for entry, item in zip(wanted, found):
        if entry.id is not None and (item is None or item.id != entry.id):
            raise InvalidInput(f"{entry.where}: {resource.id_option} {entry.id} does not exist there")
    return found


def _is_meant_by_id(_resource: Resource, entry: DesiredObject, item: Observed) -> bool:
    return entry.id == item.id


def _is_equal(resource: Resource, entry: DesiredObject, item: Observed) -> bool:
    fields = [known for known in resource.fields if known.name != "display_name" or entry.name]
    return all(same(known, entry.values.get(known.name), item.values.get(known.name)) for known in fields)


def _has_its_name(_resource: Resource, entry: DesiredObject, item: Observed) -> bool:
    return bool(entry.name) and entry.name == item.name


def _is_any(_resource: Resource, entry: DesiredObject, _item: Observed) -> bool:
    return entry.id is None


_Way = t.Callable[[Resource, t.Sequence[DesiredObject], t.Sequence[Observed], Family], "list[Observed | None]"]
_WAYS: dict[str, _Way] = {
    "name": _by_name,
    "address": _by_address,
    "content": _by_content,
    "fingerprint": _by_fingerprint,
}
