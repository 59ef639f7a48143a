# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of which the table of resources is made. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Values = dict[str, t.Any]

PROTOCOLS = ("tcp", "http", "udp")
TCP_HTTP = ("tcp", "http")
NO_PROTOCOL = ""  # of what serves every protocol, such as a certificate
EVERY = (*PROTOCOLS, NO_PROTOCOL)
ALL_ZONES = "all"


@dataclass(frozen=True)
class Field:
    """One field of a resource.

    ``default`` is what null means to the API, so that null and the spelled-out default compare as equal;
    ``unsure_defaults`` are values that null may be read back as where OVHcloud's own sources disagree.
    A field that is not ``nullable`` is reset by sending its default. ``choices_http`` are choices that only http has.
    ``check`` takes (value, where) and returns the value in its canonical form, or raises InvalidInput. ``merge`` takes
    (wanted, current, where) and returns the whole value to send. A field that ``inherits`` has its parent's value of
    that name while it is null. What is ``write_only`` the API never tells again.
    """

    name: str
    api: str
    type: str = "str"
    choices: tuple[str, ...] = ()
    choices_http: tuple[str, ...] = ()
    default: t.Any = None
    unsure_defaults: tuple[t.Any, ...] = ()
    nullable: bool = True
    required: tuple[str, ...] = ()  # protocols whose objects can not be created without it
    create_only: bool = False
    check: t.Callable[[t.Any, str], t.Any] | None = None
    merge: t.Callable[[t.Any, t.Any, str], t.Any] | None = None
    inherits: bool = False
    write_only: bool = False
    secret: bool = False
    protocols: tuple[str, ...] = EVERY
    fields: tuple[Field, ...] = ()

    @property
    def is_set(self) -> bool:
        """Lists of the API have no order: it returns them in another one than it was given."""
        return self.type == "list"

    def choices_for(self, protocol: str) -> tuple[str, ...]:
        return self.choices + (self.choices_http if protocol == "http" else ())

    @property
    def every_choice(self) -> tuple[str, ...]:
        return tuple(sorted(self.choices + self.choices_http))


@dataclass(frozen=True)
class Reference:
    """A field that holds the id of another object, and the option that names that object instead.

    ``within`` is the field, a dictionary, in which both stand, and ``when`` the value of its ``type`` with which they
    do. A ``zoned`` reference leads to an object in the zone of the one that has it, or in all zones.
    """

    field: str
    option: str
    kind: str
    within: str = ""
    when: str = ""
    zoned: bool = False

    @property
    def id_option(self) -> str:
        return f"{self.within}.{self.field}" if self.within else self.field

    @property
    def name_option(self) -> str:
        return f"{self.within}.{self.option}" if self.within else self.option


@dataclass(frozen=True)
class Fact:
    """What the API tells of an object and nobody can write; ``is_list`` is told as a list also where it is null."""

    name: str
    api: str
    is_list: bool = False


@dataclass(frozen=True)
class Resource:
    """One kind of object: its path below ``/ipLoadbalancing/{serviceName}``, the name of its id, and its fields.

    ``identity`` says how an entry of a task finds its object (``identity.py``), and ``zones`` where the zones stand in
    which it is deployed: in its field ``zone``, with its ``parent``, with what the named field refers to, or, when
    empty, in every zone of the service. Of two ``exclusive`` lists only one may have members, and of two networks the
    first lies ``inside`` the second. What is ``owned`` belongs to its parent whole: a list of it is all there is to be.
    What ``cascades`` the API deletes together with its parent. ``purge`` is whether what no entry names may be deleted,
    and what is ``replaceable`` may make room for another one where a field can not change. ``defined`` is the call that
    tells which protocols have any object of the kind.
    """

    kind: str
    path: str
    id_api: str
    fields: tuple[Field, ...]
    protocols: tuple[str, ...] = PROTOCOLS
    parent: str = ""
    references: tuple[Reference, ...] = ()
    identity: str = "name"
    zones: str = "zone"
    facts: tuple[Fact, ...] = ()
    exclusive: tuple[str, str] | None = None
    inside: tuple[str, str] | None = None
    owned: bool = False
    cascades: bool = False
    purge: bool = True
    replaceable: bool = False
    defined: str = ""

    @property
    def id_option(self) -> str:
        return f"{self.kind}_id"

    @property
    def plural(self) -> str:
        return f"{self.kind}s"

    def fields_for(self, protocol: str) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if protocol in field.protocols)

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)
