# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task asks for, in canonical form. No I/O. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    FARM,
    FRONTEND,
    PROTOCOLS,
    SERVER,
    Values,
    normalise,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Scope

# Options of an object that are not fields of the API.
NOT_FIELDS = frozenset({"state", "protocol", "servers", "farm_id", "server_id", "frontend_id", "default_farm"})
UNSET = object()


@dataclass(frozen=True)
class DesiredServer:
    where: str
    values: Values
    id: int | None = None
    present: bool = True


@dataclass(frozen=True)
class DesiredObject:
    """A farm or a frontend. ``where`` is the object as the user knows it, for messages."""

    where: str
    protocol: str
    values: Values
    id: int | None = None
    present: bool = True

    @property
    def name(self) -> str | None:
        return self.values.get("display_name")

    @property
    def zone(self) -> str | None:
        return self.values.get("zone")


@dataclass(frozen=True)
class DesiredFarm(DesiredObject):
    """``servers`` is None when the task does not list them. A ``reference`` only says which farm servers belong to."""

    servers: tuple[DesiredServer, ...] | None = None
    reference: bool = False


@dataclass(frozen=True)
class DesiredFrontend(DesiredObject):
    """``default_farm`` is a display name, None to detach, or UNSET."""

    default_farm: t.Any = UNSET


@dataclass(frozen=True)
class Desired:
    """The desired state of one service, as far as the task speaks of it."""

    farms: tuple[DesiredFarm, ...] = ()
    frontends: tuple[DesiredFrontend, ...] = ()
    purge_farms: bool = False
    purge_servers: bool = False
    purge_frontends: bool = False
    purge_protocols: frozenset[str] = field(default_factory=lambda: frozenset({"tcp"}))

    def scope(self) -> Scope:
        """What must be read to plan this."""
        removes_farms = self.purge_farms or any(not farm.present for farm in self.farms)
        purged = self.purge_protocols if removes_farms or self.purge_frontends else frozenset()
        named = {frontend.protocol for frontend in self.frontends}
        return Scope(
            farms=frozenset({farm.protocol for farm in self.farms} | named)
            | (self.purge_protocols if self.purge_farms else frozenset()),
            frontends=frozenset(named | ({farm.protocol for farm in self.farms} if removes_farms else set())) | purged,
            farm_names=frozenset(farm.name for farm in self.farms if farm.name and self._needs_servers(farm)),
            farm_ids=frozenset(farm.id for farm in self.farms if farm.id and self._needs_servers(farm)),
            every_server=self.purge_farms,
            farm_routes=frozenset(farm.protocol for farm in self.farms if not farm.present)
            | (self.purge_protocols if self.purge_farms else frozenset()),
        )

    @staticmethod
    def _needs_servers(farm: DesiredFarm) -> bool:
        return farm.servers is not None or not farm.present


def desired_farm(written: Values, where: str = "farm") -> DesiredFarm:
    """One farm of a task, from its written options.

    :raises InvalidInput: for a bad value, or a farm that nothing identifies.
    """
    protocol, where = _protocol(written, where), _name(written, where)
    values = normalise(FARM, protocol, _fields(written), where)
    _check_identity(written, "farm_id", where)
    servers = written.get("servers", UNSET)
    if servers is None:
        raise InvalidInput(f"{where}: servers can not be null; leave it out to keep the servers, or list them")
    return DesiredFarm(
        where,
        protocol,
        values,
        id=written.get("farm_id"),
        present=_present(written),
        servers=None if servers is UNSET else tuple(_servers(servers, protocol, where)),
    )


def _servers(servers: list[Values], protocol: str, where: str) -> t.Iterator[DesiredServer]:
    for server in servers:
        yield desired_server(server, protocol, f"{where}, server")


def desired_server(written: Values, protocol: str, where: str = "server") -> DesiredServer:
    where = f"{where} {written['address']}" if written.get("address") else where
    values = normalise(SERVER, protocol, _fields(written), where)
    if not written.get("server_id") and "address" not in values:
        raise InvalidInput(f"{where}: address is missing; give the server's address, or server_id")
    return DesiredServer(where, values, id=written.get("server_id"), present=_present(written))


def desired_frontend(written: Values, where: str = "frontend") -> DesiredFrontend:
    protocol, where = _protocol(written, where), _name(written, where)
    if "default_farm" in written and "default_farm_id" in written:
        raise InvalidInput(f"{where}: default_farm and default_farm_id exclude each other; keep one")
    _check_identity(written, "frontend_id", where)
    return DesiredFrontend(
        where,
        protocol,
        normalise(FRONTEND, protocol, _fields(written), where),
        id=written.get("frontend_id"),
        present=_present(written),
        default_farm=written.get("default_farm", UNSET),
    )


def desired_servers(written: Values, server: Values) -> DesiredFarm:
    """The farm that the task ``server`` speaks of, with its one server.

    :param written: ``farm``, ``farm_id``, ``zone`` and ``protocol`` as far as they were written.
    """
    if not written.get("farm") and not written.get("farm_id"):
        raise InvalidInput("farm is missing: give the display name of the server's farm, or farm_id")
    farm: Values = {name: written[name] for name in ("protocol", "farm_id", "zone") if name in written}
    if written.get("farm"):
        farm["display_name"] = written["farm"]
    return replace(desired_farm({**farm, "servers": [server]}), reference=True)


def desired_load_balancer(written: Values) -> Desired:
    """The whole configuration of the task ``load_balancer``.

    :raises InvalidInput: for bad values, null lists, or a purge of a list that is absent or empty.
    """
    for option in ("farms", "frontends"):
        if option in written and written[option] is None:
            raise InvalidInput(f"{option} can not be null; leave it out to leave them alone")
    farms = [desired_farm(item, f"farms[{index}]") for index, item in enumerate(written.get("farms") or [])]
    frontends = [
        desired_frontend(item, f"frontends[{index}]") for index, item in enumerate(written.get("frontends") or [])
    ]
    protocols = written.get("purge_protocols")
    desired = Desired(
        tuple(farms),
        tuple(frontends),
        purge_farms=bool(written.get("purge_farms")),
        purge_servers=bool(written.get("purge_servers")),
        purge_frontends=bool(written.get("purge_frontends")),
        purge_protocols=frozenset(["tcp"] if protocols is None else protocols),
    )
    _check_purge(desired)
    return desired


def _check_purge(desired: Desired) -> None:
    """Emptiness never deletes: a purge acts on a list that is written and not empty."""
    for option in ("farms", "frontends"):
        if getattr(desired, f"purge_{option}") and not getattr(desired, option):
            raise InvalidInput(
                f"purge_{option} needs {option}: list what is to stay; to delete an object, give it state: absent"
            )
    if not desired.purge_servers:
        return
    lists = [farm for farm in desired.farms if farm.servers is not None]
    if not lists:
        raise InvalidInput("purge_servers needs the servers of at least one farm: list those that are to stay")
    for farm in lists:
        if not farm.servers:
            raise InvalidInput(
                f"purge_servers with an empty list would remove every server of {farm.where}; "
                "give the servers that are to go state: absent"
            )


def _fields(written: Values) -> Values:
    return {name: value for name, value in written.items() if name not in NOT_FIELDS}


def _present(written: Values) -> bool:
    return written.get("state") != "absent"


def _protocol(written: Values, where: str) -> str:
    protocol = written.get("protocol") or "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidInput(f"{where}: protocol {protocol} is not one of {', '.join(PROTOCOLS)}")
    return protocol


def _name(written: Values, where: str) -> str:
    return f'{where} "{written["display_name"]}"' if written.get("display_name") else where


def _check_identity(written: Values, id_option: str, where: str) -> None:
    if written.get(id_option) is None and not written.get("display_name"):
        raise InvalidInput(f"{where}: display_name is missing; give it, or {id_option}")
