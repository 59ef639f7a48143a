# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task asks for, in canonical form. No I/O. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.material import check_key
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    BY_KIND,
    FARM,
    RESOURCES,
    child_of,
    referrers,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.settings import Order, desired_settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Scope
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import (
    PROTOCOLS,
    Reference,
    Resource,
    Values,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import normalise

UNSET = object()
SECRET_LENGTH = 16  # of a part of a key that tells something of it; shorter are the words of its first and last line


@dataclass(frozen=True)
class DesiredObject:
    """One entry of a task. ``where`` is the object as the user knows it, for messages.

    ``values`` are the fields that were written. ``names`` are the references that were written by name: a display name,
    or None to detach, by the option that holds it. ``children`` is None when the task does not list them. A
    ``reference`` only says which object its children belong to. With ``replace`` another object takes the place of one
    that can not become what is wanted; with ``force`` also of one that is.
    """

    resource: Resource
    where: str
    protocol: str
    values: Values
    names: Values = field(default_factory=dict)
    id: int | None = None
    present: bool = True
    children: tuple[DesiredObject, ...] | None = None
    reference: bool = False
    replace: bool = False
    force: bool = False

    @property
    def name(self) -> str | None:
        return self.values.get("display_name")

    @property
    def zone(self) -> str | None:
        return self.values.get("zone")

    @property
    def needs_children(self) -> bool:
        child = child_of(self.resource)
        return self.children is not None or bool(child and not child.cascades and self.may_go)

    @property
    def may_go(self) -> bool:
        """Whether the object, or one that it replaces, may have to go."""
        return not self.present or self.replace or "certificate" in self.values

    @property
    def may_leave_its_zone(self) -> bool:
        """Where nothing but the name tells an object, its zone is a part of that."""
        return self.id is not None and self.zone is not None

    @property
    def known_as(self) -> tuple[t.Any, ...]:
        """The id or name of the object; both where another one with another id may have taken its place."""
        return tuple(filter(None, (self.id, self.name))) if self.replace else (self.id or self.name,)

    def writes(self, reference: Reference) -> bool:
        """Whether the task says what this object is to refer to."""
        return reference.option in self.names or reference.field in self.values.get(reference.within, self.values)


@dataclass(frozen=True)
class Desired:
    """The desired state of one service, as far as the task speaks of it.

    ``purge`` are the kinds that a purge takes, ``settings`` what is wanted of the service itself, and
    ``free`` a free certificate.
    """

    objects: tuple[DesiredObject, ...] = ()
    purge: frozenset[str] = frozenset()
    purge_protocols: frozenset[str] = field(default_factory=lambda: frozenset({"tcp"}))
    settings: Values = field(default_factory=dict)
    free: Order | None = None

    def of(self, resource: Resource) -> list[DesiredObject]:
        return [item for item in self.objects if item.resource == resource]

    @property
    def only_address(self) -> str | None:
        """The address of the one server that the task is about, where it is found by that."""
        children = [child for item in self.objects if item.reference for child in item.children or ()]
        if len(children) != 1 or len(self.objects) != 1 or children[0].id is not None:
            return None
        return children[0].values.get("address")

    def secrets(self) -> set[str]:
        """Every value that must not be shown, and each line of it: an answer may repeat a part, or all in one line."""
        fields = [(item, known) for item in self.objects for known in item.resource.fields if known.secret]
        values = {str(item.values[known.name]) for item, known in fields if item.values.get(known.name)}
        return values | {line for value in values for line in value.split() if len(line) >= SECRET_LENGTH}

    def purges(self, resource: Resource, protocol: str) -> bool:
        """Whether objects of this kind that no entry names are to go; a protocol counts only for what has one."""
        return resource.kind in self.purge and (protocol in self.purge_protocols or protocol not in PROTOCOLS)

    def scope(self) -> Scope:
        """What must be read to plan this: what is named, what it refers to, and what refers to what may go."""
        kinds: dict[str, set[str]] = {resource.kind: set() for resource in RESOURCES}
        for item in self.objects:
            kinds[item.resource.kind].add(item.protocol)
            for reference in item.resource.references:
                if item.writes(reference) or item.replace or (reference.zoned and item.may_leave_its_zone):
                    kinds[reference.kind].add(protocol_of(reference, item.protocol))
            if item.may_go:
                _add_referrers(kinds, item.resource, {item.protocol})
        for resource in RESOURCES:
            if resource.kind in self.purge and not resource.parent:
                protocols = {protocol for protocol in resource.protocols if self.purges(resource, protocol)}
                kinds[resource.kind] |= protocols
                _add_referrers(kinds, resource, protocols)
        whole = {(kind, protocol) for kind, protocols in kinds.items() for protocol in protocols}
        ids = {key: self._ids(*key) for key in whole}
        return Scope(
            {kind: protocols for kind, protocols in kinds.items() if protocols},
            frozenset(
                (item.resource.kind, known) for item in self.objects if item.needs_children for known in item.known_as
            ),
            frozenset(child.parent for child in RESOURCES if child.parent in self.purge and not child.cascades)
            # The name of what may have been made in its place is not known before it is read.
            | {item.resource.kind for item in self.objects if item.replace and not item.name},
            {key: found for key, found in ids.items() if found},
        )

    def _ids(self, kind: str, protocol: str) -> frozenset[int]:
        """The ids of all that the task is about of a kind, where it names each by its id and may take none away."""
        if kind in self.purge or any(item.may_go for item in self.objects):
            return frozenset()
        references = [
            (item, reference)
            for item in self.objects
            for reference in item.resource.references
            if reference.kind == kind and protocol_of(reference, item.protocol) == protocol and item.writes(reference)
        ]
        if references:
            return frozenset()
        named = [item.id for item in self.objects if (item.resource.kind, item.protocol) == (kind, protocol)]
        return frozenset() if None in named else frozenset(item for item in named if item)


def protocol_of(reference: Reference, protocol: str) -> str:
    """The protocol of what is referred to: the same, where it has one."""
    protocols = BY_KIND[reference.kind].protocols
    return protocol if protocol in protocols else protocols[0]


def _add_referrers(kinds: dict[str, set[str]], resource: Resource, protocols: t.AbstractSet[str]) -> None:
    for other, _reference in referrers(resource.kind):
        kinds[other.kind] |= {item for item in other.protocols if item in protocols or item not in resource.protocols}


def desired_object(resource: Resource, written: Values, where: str = "") -> DesiredObject:
    """One object of a task, from its written options.

    :raises InvalidInput: for a bad value, or an object that nothing identifies.
    """
    where = where or resource.kind
    protocol = _protocol(resource, written, where)
    where = f'{where} "{written["display_name"]}"' if written.get("display_name") else where
    if written.get(resource.id_option) is None and not written.get("display_name"):
        raise InvalidInput(f"{where}: display_name is missing; give it, or {resource.id_option}")
    return replace(_desired(resource, written, protocol, where), children=_children(resource, written, protocol, where))


def _desired(resource: Resource, written: Values, protocol: str, where: str) -> DesiredObject:
    values, names = _without_names(resource, written, where)
    if values.get("certificate") and values.get("key"):
        check_key(values["certificate"], values["key"], where)
    return DesiredObject(
        resource,
        where,
        protocol,
        normalise(resource, protocol, values, where),
        names,
        id=_checked_id(resource, written, where),
        present=written.get("state") != "absent",
        replace=bool(written.get("replace")),
        force=bool(written.get("force")),
    )


def _checked_id(resource: Resource, written: Values, where: str) -> int | None:
    identifier = written.get(resource.id_option)
    if identifier is None or (not isinstance(identifier, bool) and identifier > 0):
        return identifier
    raise InvalidInput(f"{where}: {resource.id_option} {identifier} is not an id; ids are positive numbers")


def _without_names(resource: Resource, written: Values, where: str) -> tuple[Values, Values]:
    """The written fields alone, and the names of other objects that stand among them."""
    child = child_of(resource)
    others = {"state", "protocol", "replace", "force", resource.id_option, child.plural if child else ""}
    values = {name: value for name, value in written.items() if name not in others}
    names: Values = {}
    for reference in resource.references:
        holder = values.get(reference.within) if reference.within else values
        if not holder or reference.option not in holder:
            continue
        if reference.field in holder:
            raise InvalidInput(
                f"{where}: {reference.name_option} and {reference.id_option} exclude each other; keep one"
            )
        names[reference.option] = holder[reference.option]
        rest = {name: value for name, value in holder.items() if name != reference.option}
        values = {**values, reference.within: rest} if reference.within else rest
    return values, names


def _children(resource: Resource, written: Values, protocol: str, where: str) -> tuple[DesiredObject, ...] | None:
    child = child_of(resource)
    if child is None or child.plural not in written:
        return None
    listed = written[child.plural]
    if listed is None:
        raise InvalidInput(f"{where}: {child.plural} can not be null; leave it out to keep them, or list them")
    if child.owned and not listed and written.get("state") != "absent":
        raise InvalidInput(
            f"{where}: {child.plural} is empty, and a {resource.kind} without {child.plural} has no effect; list them, "
            f"or give the {resource.kind} state: absent"
        )
    return tuple(desired_child(child, item, protocol, f"{where}, {child.kind}") for item in listed)


def desired_child(resource: Resource, written: Values, protocol: str, where: str = "") -> DesiredObject:
    where = where or resource.kind
    if resource.identity == "address":
        where = f"{where} {written['address']}" if written.get("address") else where
    elif written.get("display_name"):
        where = f'{where} "{written["display_name"]}"'
    desired = _desired(resource, written, protocol, where)
    if resource.identity == "address" and desired.id is None and "address" not in desired.values:
        raise InvalidInput(f"{where}: address is missing; give the server's address, or server_id")
    if resource.owned and desired.id is None:
        _check_whole(desired)
    return desired


def _check_whole(desired: DesiredObject) -> None:
    """An entry of a list that is whole says all that it needs, or another object would lend it the rest."""
    for known in desired.resource.fields_for(desired.protocol):
        if desired.protocol in known.required and known.name not in desired.values:
            raise InvalidInput(f"{desired.where}: {known.name} is missing; every {desired.resource.kind} needs it")


def desired_server(written: Values, server: Values) -> DesiredObject:
    """The farm that the task ``server`` speaks of, with its one server.

    :param written: ``farm``, ``farm_id``, ``zone`` and ``protocol`` as far as they were written.
    """
    if not written.get("farm") and not written.get("farm_id"):
        raise InvalidInput("farm is missing: give the display name of the server's farm, or farm_id")
    farm: Values = {name: written[name] for name in ("protocol", "farm_id", "zone") if name in written}
    if written.get("farm"):
        farm["display_name"] = written["farm"]
    return replace(desired_object(FARM, {**farm, "servers": [server]}), reference=True)


def desired_load_balancer(written: Values) -> Desired:
    """The whole configuration of the task ``load_balancer``.

    :raises InvalidInput: for bad values, null lists, or a purge of a list that is absent or empty.
    """
    objects: list[DesiredObject] = []
    for resource in RESOURCES:
        if resource.parent or resource.plural not in written:
            continue
        if written[resource.plural] is None:
            raise InvalidInput(f"{resource.plural} can not be null; leave it out to leave them alone")
        objects += [
            desired_object(resource, item, f"{resource.plural}[{index}]")
            for index, item in enumerate(written[resource.plural])
        ]
    protocols = written.get("purge_protocols")
    desired = Desired(
        tuple(objects),
        frozenset(resource.kind for resource in RESOURCES if written.get(f"purge_{resource.plural}")),
        frozenset(["tcp"] if protocols is None else protocols),
        _settings(written),
    )
    _check_purge(desired)
    return desired


def _settings(written: Values) -> Values:
    if "settings" not in written:
        return {}
    if written["settings"] is None:
        raise InvalidInput("settings can not be null; leave it out to leave the service as it is")
    return desired_settings(written["settings"], "settings")


def _check_purge(desired: Desired) -> None:
    """Emptiness never deletes: a purge acts on a list that is written and not empty."""
    for kind in sorted(desired.purge):
        resource = BY_KIND[kind]
        if resource.parent:
            _check_purge_of_children(desired, resource)
        elif not desired.of(resource):
            raise InvalidInput(
                f"purge_{resource.plural} needs {resource.plural}: list what is to stay; to delete an object, give it "
                "state: absent"
            )


def _check_purge_of_children(desired: Desired, resource: Resource) -> None:
    lists = [item for item in desired.of(BY_KIND[resource.parent]) if item.children is not None]
    if not lists:
        raise InvalidInput(
            f"purge_{resource.plural} needs the {resource.plural} of at least one {resource.parent}: list those that "
            "are to stay"
        )
    for item in lists:
        if not item.children:
            raise InvalidInput(
                f"purge_{resource.plural} with an empty list would remove every {resource.kind} of {item.where}; "
                f"give the {resource.plural} that are to go state: absent"
            )


def _protocol(resource: Resource, written: Values, where: str) -> str:
    protocol = written.get("protocol") or resource.protocols[0]
    if protocol not in resource.protocols:
        raise InvalidInput(f"{where}: protocol {protocol} is not one of {', '.join(resource.protocols)}")
    return protocol
