# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services of a mail host behind the load balancer, as the variables of the roles declare them.

Pure: no I/O. Private to the collection. Everything that can be known to be wrong from the variables alone
is refused here, with the variable and the remedy named.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, fields

from ansible.module_utils.parsing.convert_bool import BOOLEANS, BOOLEANS_TRUE
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.probe import PROBE_FIELDS, PROBE_TYPE_FIELDS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FARM, FRONTEND, SERVER
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Field

Values = dict[str, t.Any]

PROXY_VERSIONS = ("v1", "v2", "v2-ssl", "v2-ssl-cn")
# Names of mail services in /etc/services, all aliases of the distributions included.
PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465, "ssmtp": 465, "urd": 465}
IMPLICIT_TLS, STARTTLS = PORTS["submissions"], PORTS["submission"]
LIST = "smtp_load_balancer_services"
OBJECTS = {"farm_options": FARM, "server_options": SERVER, "frontend_options": FRONTEND}


class Refused(ValueError):
    """What is declared can not work, or would do harm."""


@dataclass(frozen=True)
class Service:
    """One service with nothing left to default. ``trusted_clients`` is None where nobody said anything about them.

    ``farm``, ``server`` and ``frontend`` are what the load balancer is given for it, but for name, zone and address.
    """

    name: str
    listener: str
    listener_port: int | None
    server_port: int
    state: str
    zones: list[str]
    proxy_protocol_version: str | None
    address: str
    trusted_clients: list[str] | None
    port: str
    tls: str
    farm: Values
    server: Values
    frontend: Values

    @property
    def is_present(self) -> bool:
        return self.state == "present"

    @property
    def expects_header(self) -> bool:
        return self.is_present and self.proxy_protocol_version is not None


# The options of a service, and the variable that stands for each where a service does not have it.
VARIABLES = {
    "name": "smtp_load_balancer_name",
    "port": "smtp_load_balancer_port",
    "listener": "postfix_backend_listener",
    "server_port": "smtp_load_balancer_server_port",
    "zones": "smtp_load_balancer_zones",
    "proxy_protocol_version": "smtp_load_balancer_proxy_protocol_version",
    "dedicated_ipfo": "smtp_load_balancer_dedicated_ipfo",
    "address": "smtp_load_balancer_address",
    "trusted_clients": "postfix_backend_trusted_clients",
    "farm_options": "smtp_load_balancer_farm_options",
    "server_options": "smtp_load_balancer_server_options",
    "frontend_options": "smtp_load_balancer_frontend_options",
}
DEFAULTS: Values = {
    "name": "smtp",
    "port": "25",
    "listener": "smtp/inet",
    "zones": ["all"],
    "proxy_protocol_version": "v1",
    "probe_interval": 30,
    "dedicated_ipfo": [],
    "address": "",
}
OPTIONS = (*VARIABLES, "state", "probe")
OF_POSTFIX = ("listener", "trusted_clients")
OWN = ("name", "port", "listener", "server_port")  # no two services share them, so each says them itself
ADDED = ("farm_options", "frontend_options")  # an entry adds to what the variable says
# What Postfix, its firewall and the proof by SMTP follow is said where they read it, and nowhere else.
SAID_ELSEWHERE: dict[str, dict[str, str]] = {
    "farm_options": {"port": "server_port"},
    "server_options": {
        "address": "smtp_load_balancer_server_address",
        "port": "server_port",
        "proxy_protocol_version": "proxy_protocol_version",
    },
    "frontend_options": {"port": "port", "default_farm": "name"},
}


def read_services(load_balancer: t.Mapping[str, t.Any], postfix: t.Mapping[str, t.Any] | None = None) -> list[Service]:
    """The services that the variables declare: those of the list, or without it the one of the guide.

    ``load_balancer`` and ``postfix`` are the variables of the two roles, without the roles' names.

    :raises Refused: for what can not be meant.
    """
    entries = load_balancer.get("services")
    said = {name: load_balancer[name] for name in (*VARIABLES, "probe_interval") if name in load_balancer}
    said.update({name: postfix[name] for name in OF_POSTFIX if postfix and name in postfix})
    # A host's own, for all its servers, and so nothing of a service.
    said.pop("server_options", None)
    common = {**DEFAULTS, **said}
    if entries is None:
        return [_read_service(common, common, None)]
    if not isinstance(entries, (list, tuple)) or not entries:
        raise Refused(
            f"{LIST} is empty: name the services of the hosts, or leave the variable out for the one of the guide. "
            "To take services back, keep them in the list with state: absent"
        )
    services = [_read_entry(entry, number, common) for number, entry in enumerate(entries)]
    _refuse_twins(services)
    return services


def select(services: t.Sequence[Service], only: t.Sequence[str] | str | None) -> list[Service]:
    """The present services of these names, or without names all that are present."""
    present = [service for service in services if service.is_present]
    names = {service.name for service in services}
    wanted = _texts(only)
    # A survey has to say something.
    if only is None or (wanted == ["all"] and "all" not in names):
        return present
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        known = ", ".join(service.name for service in services)
        what = f"names {', '.join(unknown)}, which no service is called" if unknown else "is empty"
        raise Refused(f"smtp_load_balancer_only {what}: name some of {known}, or leave the variable out for all")
    return [service for service in present if service.name in wanted]


def others(services: t.Sequence[Service], only: t.Sequence[Service]) -> list[Service]:
    """The services that a run over some is not about. What is absent is never run over by the one host."""
    return [service for service in services if service not in only or not service.is_present]


def listener_port(listener: str) -> int | None:
    """The port of a service of master.cf such as smtp/inet, 10025/inet or 192.0.2.11:submission/inet.

    None where only the /etc/services of the host knows it.
    """
    name = listener.rpartition("/")[0].rpartition(":")[2]
    return int(name) if name.isdigit() else PORTS.get(name)


def _read_entry(entry: t.Any, number: int, common: t.Mapping[str, t.Any]) -> Service:
    place = f"{LIST}[{number}]"
    if not isinstance(entry, t.Mapping):
        raise Refused(
            f"{place} is not a dictionary: write {{name: submission, port: '587', listener: submission/inet}}"
        )
    unknown = [str(name) for name in entry if name not in OPTIONS]
    if unknown:
        raise Refused(f"{place} has no option {', '.join(unknown)}. Its options are {', '.join(OPTIONS)}")
    missing = [name for name in ("name", "port", "listener") if entry.get(name) in (None, "")]
    if missing:
        raise Refused(
            f"{place} needs {' and '.join(missing)}: name: submission, port: '587', listener: submission/inet"
        )
    shared = {name: value for name, value in common.items() if name not in (*OWN, *ADDED)}
    return _read_service({**shared, **entry}, common, str(entry["name"]))


def _read_service(values: t.Mapping[str, t.Any], common: t.Mapping[str, t.Any], entry: str | None) -> Service:
    def refuse(option: str, what: str) -> t.NoReturn:
        raise Refused(f"{f'{LIST}, {entry}: {option}' if entry else VARIABLES.get(option, option)} {what}")

    def options(name: str) -> Values:
        found = [part.get(name) or {} for part in ((common, values) if entry else (values,))]
        if not all(isinstance(part, t.Mapping) for part in found):
            refuse(name, "must be a dictionary")
        for key, option in SAID_ELSEWHERE[name].items():
            if any(key in part for part in found):
                refuse(name, behind_the_back(key, option if entry else VARIABLES.get(option, option)))
        return _with_switches({key: value for part in found for key, value in part.items()}, OBJECTS[name].fields)

    state = values.get("state") or "present"
    if state not in ("present", "absent"):
        refuse("state", f"must be present or absent, not {state!r}")
    listener = str(values["listener"]).strip()
    if not listener.endswith("/inet"):
        refuse(
            "listener", f"must be a service of master.cf that listens on a port, such as smtp/inet, not {listener!r}"
        )
    version = values.get("proxy_protocol_version") or None
    if version is not None and version not in PROXY_VERSIONS:
        refuse("proxy_protocol_version", f"must be one of {', '.join(PROXY_VERSIONS)}, or null, not {version!r}")
    zones = _texts(values.get("zones"))
    if not zones:
        refuse("zones", "is empty: name zones, or [all]")
    port = str(values["port"]).strip()
    try:
        ports = port_ranges(port)
    except ValueError:
        refuse("port", f"must be a port, a range a-b, or a comma list of those, not {port!r}")
    known_port = listener_port(listener)
    server_port = known_port if values.get("server_port") in (None, "") else values["server_port"]
    if server_port is None:
        refuse(
            "listener", f"{listener} names no port known here: write its number, as in 10025/inet, or set server_port"
        )
    if not str(server_port).isdigit() or not 1 <= int(server_port) <= 65535:
        refuse("server_port", f"must be a port number, not {server_port!r}")
    tls = _tls(ports[0][0], known_port, options("frontend_options"))
    farm_options = options("farm_options")
    probe = _probe(int(values["probe_interval"]), tls, _said_of_probe(common, values, refuse))
    farm = {**_farm(int(server_port)), **farm_options, "probe": probe}
    service = Service(
        name=str(values["name"]),
        listener=listener,
        listener_port=known_port,
        server_port=int(server_port),
        state=state,
        zones=zones,
        proxy_protocol_version=version,
        address=str(values.get("address") or ""),
        trusted_clients=None if values.get("trusted_clients") is None else _texts(values["trusted_clients"]),
        port=port,
        tls=tls,
        farm=farm,
        server=_server(version, farm["probe"] is not None, options("server_options")),
        frontend=_frontend(values, port, options("frontend_options")),
    )
    if service.is_present and _checks_without_tls(service):
        refuse("probe", "speaks no TLS to a service that begins with it, and would find all down: set force_ssl: true")
    return service


def _with_switches(values: t.Mapping[str, t.Any], known: t.Iterable[Field]) -> Values:
    """The same with texts of switches, as templates make them, for what they mean: "false" is not true."""
    switches = {field.name for field in known if field.type == "bool"}
    return {key: _switched(value) if key in switches else value for key, value in values.items()}


def _switched(value: t.Any) -> t.Any:
    word = value.strip().lower() if isinstance(value, str) else ""
    return word in BOOLEANS_TRUE if word in BOOLEANS else value


def behind_the_back(key: str, option: str) -> str:
    return f"can not have {key}, since Postfix and its firewall would not know of it: write it as {option}"


def _tls(port: int, known_port: int | None, frontend_options: t.Mapping[str, t.Any]) -> str:
    """How clients get TLS from Postfix: implicit, starttls, or not necessarily."""
    if IMPLICIT_TLS in (port, known_port) and not frontend_options.get("ssl"):
        return "implicit"
    return "starttls" if STARTTLS in (port, known_port) else "none"


# Every field that changes how mail flows is declared, so that a change by hand is seen and corrected.


def _farm(port: int) -> Values:
    return {"protocol": "tcp", "port": port, "balance": "roundrobin", "stickiness": None}


def _said_of_probe(
    common: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any], refuse: t.Callable[[str, str], t.NoReturn]
) -> list[Values | None]:
    """First of all services, then of this one, which wins."""
    places: list[tuple[str, t.Mapping[str, t.Any]]] = [
        ("farm_options", common.get("farm_options") or {}),
        ("probe", values),
        ("farm_options", values.get("farm_options") or {}),
    ]
    for name, options in places:
        if not isinstance(options.get("probe"), (t.Mapping, type(None))):
            what = "" if name == "probe" else "has a probe that "
            refuse(name, f"{what}must be a dictionary, such as {{interval: 60}}, or null for none")
    said = [options["probe"] for _name, options in places if "probe" in options]
    return [probe and _with_switches(probe, PROBE_FIELDS) for probe in said]


def _probe(interval: int, tls: str, layers: t.Sequence[Values | None]) -> Values | None:
    """The usual probe with what each layer adds to it; null takes it away."""
    said: Values | None = {}
    for layer in layers:
        said = None if layer is None else {**(said or {}), **layer}
    if said is None:
        return None
    usual: Values = {"type": "smtp", "interval": interval, "port": None}
    if "force_ssl" in PROBE_TYPE_FIELDS.get(str(said.get("type", "smtp")), ()):
        # The API checks with TLS, and with the PROXY header still before it, on the farm's own port only.
        usual["force_ssl"] = tls == "implicit"
    return {**usual, **said}


def _server(version: str | None, probed: bool, server_options: Values) -> Values:
    return {
        "port": None,
        "status": "active",
        "probe": probed,
        "proxy_protocol_version": version,
        "weight": 1,
        "backup": False,
        "ssl": False,
        "on_marked_down": None,
        **server_options,
    }


def _frontend(values: t.Mapping[str, t.Any], port: str, frontend_options: Values) -> Values:
    return {
        "protocol": "tcp",
        "port": port,
        "default_farm": str(values["name"]),
        "dedicated_ipfo": _texts(values.get("dedicated_ipfo")),
        "allowed_source": [],
        "denied_source": [],
        "disabled": False,
        "ssl": False,
        **frontend_options,
    }


def checks_the_listener(service: Service) -> bool:
    """Whether the probe speaks to the listener itself, with the header and the TLS that the servers get."""
    probe: Values = service.farm.get("probe") or {}
    # A text stands for a port too.
    return bool(probe) and str(probe.get("port") or service.server_port) == str(service.server_port)


def _checks_without_tls(service: Service) -> bool:
    probe = service.farm.get("probe") or {}
    encrypted = probe.get("force_ssl") or service.server.get("ssl")
    return service.tls == "implicit" and checks_the_listener(service) and probe.get("type") == "smtp" and not encrypted


def _refuse_twins(services: t.Sequence[Service]) -> None:
    for number, service in enumerate(services):
        for other in services[:number]:
            both = f"{LIST}: {other.name} and {service.name}"
            if service.name == other.name:
                raise Refused(f"{LIST} has the name {service.name} twice: give each service a name of its own")
            if _listens_as(service) == _listens_as(other):
                raise Refused(
                    f"{both} have one listener, {service.listener}: Postfix serves each in one way only. Take one of "
                    "the two entries out, or give it a listener of its own, such as 10025/inet"
                )
            if service.is_present and other.is_present and _compete(service, other):
                raise Refused(
                    f"{both} are on one port, {service.port}: give them different ports, zones that do not overlap, or "
                    "a dedicated_ipfo each"
                )


def _listens_as(service: Service) -> int | str:
    return service.listener_port or service.listener


def _compete(one: Service, other: Service) -> bool:
    """Whether two frontends would listen on one port of one address."""
    zones, others = ({zone.lower() for zone in service.zones} for service in (one, other))
    addresses, theirs = (set(service.frontend["dedicated_ipfo"]) for service in (one, other))
    return (
        ("all" in zones | others or bool(zones & others))
        and (addresses == theirs or bool(addresses & theirs))
        and any(a[0] <= b[1] and b[0] <= a[1] for a in port_ranges(one.port) for b in port_ranges(other.port))
    )


def port_ranges(text: str) -> list[tuple[int, int]]:
    """The ports of a frontend, ``25``, ``25,587`` or ``100-200``, as (first, last)."""
    ranges = []
    for part in text.split(","):
        first, dummy, last = part.partition("-")
        ranges.append((int(first), int(last or first)))
    if any(not 1 <= first <= last <= 65535 for first, last in ranges):
        raise ValueError(text)
    return ranges


def _texts(value: t.Any) -> list[str]:
    """A list of texts; one alone is a list of one."""
    if value is None or value == "":
        return []
    return [str(value)] if isinstance(value, (str, int)) else [str(item) for item in value]


def as_service(values: t.Mapping[str, t.Any]) -> Service:
    """A service that went through a template."""
    return Service(**{field.name: values[field.name] for field in fields(Service)})
