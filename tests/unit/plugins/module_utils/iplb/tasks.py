# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies: services as people left them, and valid tasks of load_balancer for them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from unit.plugins.module_utils.iplb.api_model import MODELS, PROBE, PROTOCOLS, ApiField, Model
from unit.plugins.module_utils.iplb.fake_api import Dialect, FakeApi

Values = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

OFTEN = st.sampled_from((True, True, True, False))
SOMETIMES = st.sampled_from((False, False, True))

ZONES = ("gra", "rbx")
NAMES = ("smtp", "submission")
ADDRESSES = ("192.0.2.11", "192.0.2.12")
NETWORKS = ("198.51.100.0/24", "203.0.113.7/32", "2001:db8::/48", "2001:db8::25/128")
IDENTITY = {"farm": ("displayName", "zone"), "frontend": ("displayName", "zone"), "server": ("address", "port")}

_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "displayName": st.sampled_from((*NAMES, "")),
    "zone": st.sampled_from((*ZONES, "all")),
    "port": st.sampled_from((25, 26, 49151)),
    "vrackNetworkId": st.integers(1, 3),
    "defaultSslId": st.integers(1, 3),
    "weight": st.sampled_from((0, 1, 256)),
    "chain": st.sampled_from(("-----BEGIN CERTIFICATE----- 1", "-----BEGIN CERTIFICATE----- 2")),
    "cookie": st.sampled_from(("a", "")),
    "redirectLocation": st.sampled_from(("https://www.example.com/", "")),
    "httpHeader": st.lists(st.sampled_from(("X-Ip-Header %ci", "X-Port %cp")), unique=True),
}
# Of any other field, a new one too.
_BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "ipBlock[]": st.lists(st.sampled_from(NETWORKS), unique=True, max_size=3),
    "long": st.sampled_from((1, 2)),
    "string": st.sampled_from(("one", "two")),
}
_FRONTEND_PORTS = st.sampled_from(("25", "25,465", "1000-2000"))

# Which fields a type of probe takes, and which matches (guide "Configure probes").
PROBE_FIELDS = {
    "tcp": ("port", "match", "negate", "pattern"),
    "http": ("port", "match", "negate", "pattern", "url", "method", "forceSsl"),
    "smtp": ("port", "match", "negate", "forceSsl"),
    "oco": ("match", "negate"),
}
PROBE_MATCHES = {"tcp": ("default", "contains"), "http": ("default", "status"), "smtp": ("default",), "oco": ()}


@dataclass
class Want:
    """One object of a task: ``written`` are its options, ``id`` that of the existing object it means, if any."""

    kind: str
    protocol: str
    written: Values
    id: int | None = None
    servers: list[Want] | None = None

    @property
    def present(self) -> bool:
        return self.written.get("state") != "absent"

    def options(self) -> Values:
        nested = {} if self.servers is None else {"servers": [server.options() for server in self.servers]}
        protocol = {} if self.kind == "server" or self.protocol == "tcp" else {"protocol": self.protocol}
        return {**self.written, **protocol, **nested}


@dataclass
class Task:
    farms: list[Want] = field(default_factory=list)
    frontends: list[Want] = field(default_factory=list)
    purge: frozenset[str] = frozenset()
    purge_protocols: frozenset[str] = frozenset({"tcp"})

    def written(self) -> Values:
        options: Values = {f"purge_{kind}": True for kind in self.purge}
        options["purge_protocols"] = sorted(self.purge_protocols)
        for name, wants in (("farms", self.farms), ("frontends", self.frontends)):
            if wants:
                options[name] = [want.options() for want in wants]
        return options


def option_name(api_name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", api_name)


# Services


@st.composite
def services(draw: Draw) -> FakeApi:
    """A service with hand-made objects: names that are null, empty or not unique, fields that are null or set."""
    api = FakeApi(dialect=draw(_dialects()))
    for protocol in draw(st.lists(st.sampled_from(("tcp", *PROTOCOLS)), min_size=1, max_size=3)):
        farm = api.add("farm", protocol, **_body(draw, "farm", protocol))
        for _server in range(draw(st.sampled_from((2, 3, 1, 0)))):
            api.add("server", protocol, farm=farm, **_body(draw, "server", protocol))
    for protocol in draw(st.lists(st.sampled_from(("tcp", *PROTOCOLS)), max_size=3)):
        farms = list(api.of("farm", protocol))
        target = {"defaultFarmId": draw(st.sampled_from(farms))} if farms and draw(st.booleans()) else {}
        api.add("frontend", protocol, **_body(draw, "frontend", protocol), **target)
    return api


def _dialects() -> st.SearchStrategy[Dialect]:
    return st.builds(
        Dialect,
        spelled_defaults=st.booleans(),
        upper_case_zones=st.booleans(),
        no_probe=st.sampled_from((None, {}, {"type": None})),
        probe_method=st.sampled_from((None, "GET", "OPTIONS")),
        backwards=st.booleans(),
    )


def _body(draw: Draw, kind: str, protocol: str) -> Values:
    body: Values = {}
    for name, known in _writable(kind, protocol).items():
        if known.required or (name != "defaultFarmId" and draw(st.booleans())):
            body[name] = draw(_values(kind, name, known))
    if body.get("allowedSource"):
        body.pop("deniedSource", None)
    return body


def _writable(kind: str, protocol: str) -> Model:
    return {name: known for name, known in MODELS[kind, protocol].items() if known.access != "ro"}


def _values(kind: str, name: str, known: ApiField) -> st.SearchStrategy[Any]:
    if name == "address":
        return st.sampled_from(ADDRESSES)
    if known.type == "BackendProbe":
        return st.sampled_from(sorted(PROBE_FIELDS)).flatmap(_probes)
    if known.values:
        return st.sampled_from([value for value in known.values if value != "internal"])
    if (kind, name) == ("frontend", "port"):
        return _FRONTEND_PORTS
    return _BY_NAME[name] if name in _BY_NAME else _BY_TYPE[known.type]


@st.composite
def _probes(draw: Draw, kind: str) -> Values:
    probe: Values = {"type": kind}
    possible: Values = {
        "interval": st.sampled_from((30, 60)),
        "port": st.sampled_from((25, 2525)),
        "pattern": st.sampled_from(("", "220")),
        "url": st.sampled_from(("/", "/health")),
        "method": st.sampled_from(("GET", "HEAD", "OPTIONS")),
        "forceSsl": st.booleans(),
    }
    for name in ("interval", *PROBE_FIELDS[kind]):
        if name in possible and draw(st.booleans()):
            probe[name] = draw(possible[name])
    if PROBE_MATCHES[kind] and draw(st.booleans()):
        probe["match"] = draw(st.sampled_from(PROBE_MATCHES[kind]))
        probe["negate"] = draw(st.booleans())
    return probe


# Tasks


@st.composite
def tasks(draw: Draw, api: FakeApi) -> Task:
    """A task that can be carried out: whatever it names is named without ambiguity."""
    purge = {kind for kind in ("servers", "frontends", "farms") if draw(st.booleans())}
    protocols = frozenset(draw(st.lists(st.sampled_from(PROTOCOLS), min_size=1, unique=True)))
    task = Task(_farms(draw, api), [], frozenset(purge), protocols)
    task.frontends = _frontends(draw, api, task.farms)
    _limit_purge(task, api)
    used = _used_farms(task, api)
    for want in task.farms:
        if want.id and (want.protocol, want.id) not in used and draw(SOMETIMES):
            _make_absent(want)
    _limit_purge(task, api)
    return task


def _limit_purge(task: Task, api: FakeApi) -> None:
    """Leave out each purge that would be refused."""
    purge = set(task.purge)
    lists = [want.servers for want in task.farms if want.servers is not None]
    if not lists or not all(lists):
        purge.discard("servers")
    if not task.frontends:
        purge.discard("frontends")
    task.purge = frozenset(purge)
    named = {(want.protocol, want.id) for want in task.farms}
    purged = {(protocol, farm) for protocol in task.purge_protocols for farm in api.of("farm", protocol)} - named
    if not task.farms or purged & _used_farms(task, api):
        purge.discard("farms")
    task.purge = frozenset(purge)


def _used_farms(task: Task, api: FakeApi) -> set[tuple[str, int]]:
    """Farms that a frontend will have as default farm, as far as they exist already."""
    wants = {(want.protocol, want.id): want for want in task.frontends if want.id}
    used: set[tuple[str, int]] = set()
    for want in task.frontends:
        if isinstance(want.written.get("default_farm_id"), int):
            used.add((want.protocol, want.written["default_farm_id"]))
        if want.written.get("default_farm"):
            used |= {(farm.protocol, farm.id) for farm in _named(task.farms, api, want.written["default_farm"])}
    for protocol in PROTOCOLS:
        for identifier, body in api.of("frontend", protocol).items():
            wanted = wants.get((protocol, identifier))
            gone = not wanted.present if wanted else "frontends" in task.purge and protocol in task.purge_protocols
            repointed = wanted is not None and {"default_farm", "default_farm_id"} & set(wanted.written)
            if not gone and not repointed and body.get("defaultFarmId"):
                used.add((protocol, body["defaultFarmId"]))
    return used


@dataclass(frozen=True)
class EndFarm:
    protocol: str
    id: int
    name: str | None
    zone: str


def _named(farms: list[Want], api: FakeApi, name: str) -> Iterator[EndFarm]:
    yield from (farm for farm in _end_farms(farms, api) if farm.name == name)


def _end_farms(farms: list[Want], api: FakeApi) -> Iterator[EndFarm]:
    """Farms with the name that they will have; those still to be created have id 0."""
    wants = {(want.protocol, want.id): want for want in farms}
    for protocol in PROTOCOLS:
        for identifier, body in api.of("farm", protocol).items():
            want = wants.get((protocol, identifier))
            written = want.written if want else {}
            yield EndFarm(protocol, identifier, written.get("display_name", body.get("displayName")), body["zone"])
    for want in farms:
        if not want.id:
            yield EndFarm(want.protocol, 0, want.written["display_name"], want.written["zone"].lower())


def _farms(draw: Draw, api: FakeApi) -> list[Want]:
    wants = [
        _existing(draw, api, "farm", protocol, identifier)
        for protocol in PROTOCOLS
        for identifier in api.of("farm", protocol)
        if draw(OFTEN)
    ]
    for number in range(draw(st.integers(0, 1))):
        wants.append(_new(draw, "farm", draw(st.sampled_from(PROTOCOLS)), display_name=f"new-{number}"))
    for want in wants:
        if draw(OFTEN):
            want.servers = _servers(draw, api, want)
    return draw(st.permutations(wants))


def _frontends(draw: Draw, api: FakeApi, farms: list[Want]) -> list[Want]:
    wants = [
        _existing(draw, api, "frontend", protocol, identifier)
        for protocol in PROTOCOLS
        for identifier in api.of("frontend", protocol)
        if draw(OFTEN)
    ]
    for number in range(draw(st.integers(0, 1))):
        wants.append(_new(draw, "frontend", draw(st.sampled_from(PROTOCOLS)), display_name=f"new-{number}"))
    for want in wants:
        if want.id and draw(SOMETIMES):
            _make_absent(want)
        else:
            _draw_default_farm(draw, api, want, farms)
    return draw(st.permutations(wants))


def _draw_default_farm(draw: Draw, api: FakeApi, want: Want, farms: list[Want]) -> None:
    current = api.of("frontend", want.protocol)[want.id] if want.id else {}
    zone = str(want.written.get("zone", current.get("zone"))).strip().lower()
    possible: list[Values] = [{"default_farm": None}, {"default_farm_id": None}]
    alike = [farm for farm in _end_farms(farms, api) if farm.protocol == want.protocol]
    near = [farm for farm in alike if farm.zone in (zone, "all")]
    stays = zone == current.get("zone") or current.get("defaultFarmId") in (None, *(farm.id for farm in near))
    if stays:
        possible.insert(0, {})
    for farm in near:
        if farm.id:
            possible.append({"default_farm_id": farm.id})
        same_name = [item for item in near if item.name == farm.name]
        if farm.name and len(same_name) == 1:
            possible.append({"default_farm": farm.name})
    want.written.update(draw(st.sampled_from(possible)))


def _make_absent(want: Want) -> None:
    by_id = f"{want.kind}_id" in want.written
    identity = (f"{want.kind}_id",) if by_id else ("display_name", "zone")
    kept = {name: want.written[name] for name in identity if name in want.written}
    want.written = {**kept, "state": "absent"}
    want.servers = None


def _existing(draw: Draw, api: FakeApi, kind: str, protocol: str, identifier: int) -> Want:
    objects = api.of(kind, protocol)
    body = objects[identifier]
    names = [item.get("displayName") for item in objects.values()]
    zones = [(item.get("displayName"), item["zone"]) for item in objects.values()]
    ways: list[Values] = [{f"{kind}_id": identifier}]
    if body.get("displayName"):
        if names.count(body["displayName"]) == 1:
            ways.append({"display_name": body["displayName"]})
        if zones.count((body["displayName"], body["zone"])) == 1:
            ways.append({"display_name": body["displayName"], "zone": draw(_spelled_zones(body["zone"]))})
    written = dict(draw(st.sampled_from(ways)))
    if f"{kind}_id" in written:
        renames: list[Values] = [{}, {}, {"display_name": None}, {"display_name": f"renamed-{identifier}"}]
        written.update(draw(st.sampled_from(renames)))
        if kind == "frontend" and draw(st.booleans()):
            # Under a name of its own: it must not become the namesake of one that the task knows by name.
            zone = draw(st.sampled_from((*ZONES, "all")).flatmap(_spelled_zones))
            written.update(zone=zone, display_name=f"moved-{identifier}")
    written.update(_fields(draw, kind, protocol, body))
    return Want(kind, protocol, written, identifier)


def _new(draw: Draw, kind: str, protocol: str, **identity: Any) -> Want:
    written = dict(identity)
    for name, known in _writable(kind, protocol).items():
        option = option_name(name)
        if known.required and option not in written:
            written[option] = draw(_values(kind, name, known))
    return Want(kind, protocol, {**_fields(draw, kind, protocol, {}), **written})


def _fields(draw: Draw, kind: str, protocol: str, current: Values) -> Values:
    """Some options with a value, an explicit default, or null."""
    written: Values = {}
    for name, known in _writable(kind, protocol).items():
        if name in IDENTITY[kind] or name == "defaultFarmId":
            continue
        if not draw(SOMETIMES):
            continue
        if not known.required and draw(st.booleans()):
            written[option_name(name)] = None
        elif known.type == "BackendProbe":
            written["probe"] = _written_probe(draw, current.get("probe") or {})
        else:
            written[option_name(name)] = draw(_values(kind, name, known))
    _keep_one_list_of_sources(written, current)
    return written


def _keep_one_list_of_sources(written: Values, current: Values) -> None:
    if written.get("allowed_source"):
        written["denied_source"] = []
    elif written.get("denied_source"):
        written["allowed_source"] = None


def _written_probe(draw: Draw, current: Values) -> Values:
    kind = draw(st.sampled_from(sorted(PROBE_FIELDS)))
    drawn = draw(_probes(kind))
    written = {option_name(name): value for name, value in drawn.items()}
    if current.get("type") == kind and draw(st.booleans()):
        del written["type"]
    if "match" not in written:
        written.update(draw(st.sampled_from(({}, {"match": None, "negate": None}))))
    for name in ("interval", "port"):
        if name not in written and name in ("interval", *PROBE_FIELDS[kind]) and draw(st.booleans()):
            written[name] = None
    return written


def _servers(draw: Draw, api: FakeApi, farm: Want) -> list[Want]:
    farm_port = api.of("farm", farm.protocol)[farm.id].get("port") if farm.id else None
    keeps_port = farm.written.get("port", farm_port) == farm_port
    existing = {
        identifier: body for identifier, body in api.of("server", farm.protocol).items() if body["backendId"] == farm.id
    }
    wants = []
    for identifier, body in existing.items():
        if draw(OFTEN):
            ways = _server_identities(identifier, body, list(existing.values()), farm_port, keeps_port)
            written = dict(draw(st.sampled_from(ways)))
            wants.append(Want("server", farm.protocol, written, identifier))
    for want in wants:
        if draw(SOMETIMES):
            want.written["state"] = "absent"
        else:
            want.written.update(_fields(draw, "server", farm.protocol, existing[want.id or 0]))
    for number in range(draw(st.integers(0, 1))):
        want = _new(draw, "server", farm.protocol, address=f"192.0.2.2{number}")
        want.written.update(draw(st.sampled_from(({}, {"port": None}, {"port": 2525}))))
        wants.append(want)
    return draw(st.permutations(wants))


def _server_identities(
    identifier: int, body: Values, siblings: list[Values], farm_port: int | None, keeps_port: bool
) -> list[Values]:
    address, port = body["address"], body.get("port") or farm_port
    addresses = [item["address"] for item in siblings]
    ports = [(item["address"], item.get("port") or farm_port) for item in siblings]
    ways: list[Values] = [{"server_id": identifier}, {"server_id": identifier, "port": 3000 + identifier}]
    if addresses.count(address) == 1:
        ways.append({"address": address})
    if keeps_port and ports.count((address, port)) == 1:
        ways.append({"address": address, "port": port})
        if body.get("port") in (None, farm_port):
            ways.append({"address": address, "port": None})
    return ways


def _spelled_zones(zone: str) -> st.SearchStrategy[str]:
    return st.sampled_from((zone, zone.upper(), f" {zone.capitalize()} "))


# The same task in other words

_DEFAULTS = {option_name(name): known.default for model in MODELS.values() for name, known in model.items()}


@st.composite
def respelled(draw: Draw, task: Task) -> Values:
    """What the task means, written with other defaults, orders, letter case and masks."""
    written = copy.deepcopy(task.written())
    for name in ("farms", "frontends"):
        if name in written:
            written[name] = draw(st.permutations([_respell(draw, item) for item in written[name]]))
    return written


def _respell(draw: Draw, item: Values) -> Values:
    result: Values = {}
    for name, value in item.items():
        if name == "servers":
            result[name] = draw(st.permutations([_respell(draw, server) for server in value]))
        elif name == "zone":
            result[name] = draw(_spelled_zones(value.strip().lower()))
        elif name == "probe" and isinstance(value, dict):
            result[name] = {key: _respell_default(draw, PROBE_DEFAULTS.get(key), entry) for key, entry in value.items()}
        elif isinstance(value, list) and value:
            result[name] = [draw(st.sampled_from(_spellings(entry))) for entry in draw(st.permutations(value))]
        elif name in ("port", "display_name", "probe"):
            result[name] = value
        else:
            result[name] = _respell_default(draw, _DEFAULTS.get(name), value)
    return result


PROBE_DEFAULTS = {option_name(name): PROBE[name].default for name in ("interval", "url", "forceSsl")}


def _respell_default(draw: Draw, default: Any, value: Any) -> Any:
    if default is None or value not in (None, default):
        return value
    return draw(st.sampled_from((None, default)))


def _spellings(entry: str) -> list[str]:
    address, dummy, mask = entry.partition("/")
    return [entry, address] if mask in ("32", "128") else [entry]
