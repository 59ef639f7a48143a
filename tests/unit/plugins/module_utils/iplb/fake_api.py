# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The staged configuration of one service in memory, with the rules by which the API refuses writes."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import NOT_STARTED, Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, LostAnswer

from unit.plugins.module_utils.iplb.api_model import MODELS, PROBE, PROTOCOLS, Model

Values = dict[str, Any]
Key = tuple[str, str, int]  # kind, protocol, id

SERVICE = "loadbalancer-0123456789abcdef"
ID_FIELDS = {"farm": "farmId", "server": "serverId", "frontend": "frontendId"}
PATH = re.compile(
    r"/(?P<protocol>tcp|http|udp)/(?P<kind>[a-z]+)"
    r"(?:/(?P<id>\d+)(?:/(?P<servers>server)(?:/(?P<server_id>\d+))?)?)?"
)


@dataclass(frozen=True)
class Dialect:
    """How answers are worded where sources disagree or the API is free to choose."""

    spelled_defaults: bool = False
    upper_case_zones: bool = False
    no_probe: Any = None
    probe_method: str | None = None
    backwards: bool = False


@dataclass
class Lost:
    """A POST whose answer gets lost, before or after it was carried out. Those before ``skip`` are answered."""

    skip: int = 0
    carried_out: bool = False


@dataclass
class Target:
    kind: str
    protocol: str
    id: int | None
    farm_id: int | None = None


def _named(path: str, id_field: str) -> Values:
    """Three objects that others may refer to, with their list."""
    objects = {number: {id_field: number, "displayName": f"number {number}"} for number in (1, 2, 3)}
    return {path: list(objects), **{f"{path}/{number}": answer for number, answer in objects.items()}}


class FakeApi(Api):
    """``objects`` are the stored bodies; ``reads`` and ``writes`` the calls, in order.

    ``faults`` are errors to raise, once each, for a method and path below the service; ``answers`` are those to paths
    that no object stands for.
    """

    def __init__(self, zones: Sequence[str] = ("gra", "rbx"), dialect: Dialect | None = None) -> None:
        self.zones = list(zones)
        self.dialect = dialect or Dialect()
        self.objects: dict[Key, Values] = {}
        self.routes: dict[str, dict[int, Values]] = {}
        self.pending: dict[str, int] = {}
        self.writes: list[tuple[str, str]] = []
        self.reads: list[str] = []
        self.lost: list[Lost] = []
        self.faults: dict[tuple[str, str], int] = {}
        self.answers: dict[str, Any] = {}
        self.service: Values = {}
        self._last_id = 100

    # What tests look at and arrange

    def add(self, kind: str, protocol: str = "tcp", *, farm: int | None = None, **body: Any) -> int:
        """An object that somebody made by hand."""
        return int(self._create(Target(kind, protocol, None, farm), body)[ID_FIELDS[kind]])

    def of(self, kind: str, protocol: str = "tcp") -> dict[int, Values]:
        return {key[2]: body for key, body in self.objects.items() if key[:2] == (kind, protocol)}

    # The transport

    def each(self, call: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """One after the other, so that what gets lost is the same in each run."""
        outcomes: list[Any] = []
        for item in items:
            try:
                outcomes.append(call(item))
            except Exception as error:
                return [*outcomes, error, *[NOT_STARTED] * (len(items) - len(outcomes) - 1)]
        return outcomes

    def _call(self, method: str, path: str, body: Values | None = None) -> Any:
        root = f"/ipLoadbalancing/{SERVICE}"
        rest = path.removeprefix(root)
        if (method, rest) in self.faults:
            raise self._refuse(self.faults.pop((method, rest)), "a fault")
        if path == "/ipLoadbalancing":
            return [SERVICE]
        if not path.startswith(root):
            raise self._refuse(404, "This service does not exist")
        if method == "GET":
            self.reads.append(rest)
            return copy.deepcopy(self._read(rest))
        target = self._target(rest)
        if method == "POST":
            return self._post(target, rest, copy.deepcopy(body or {}))
        self.writes.append((method, rest))
        if method == "PUT":
            self._update(target, copy.deepcopy(body or {}))
        else:
            self._delete(target)
        return None

    def _post(self, target: Target, rest: str, body: Values) -> Values:
        lost = self.lost[0] if self.lost else None
        if lost and lost.skip:
            lost.skip -= 1
            lost = None
        if lost:
            self.lost.pop(0)
        if lost and not lost.carried_out:
            raise LostAnswer("no answer", call=f"POST {rest}")
        self.writes.append(("POST", rest))
        created = self._create(target, body)
        if lost:
            raise LostAnswer("no answer", call=f"POST {rest}")
        return created

    # Reading

    def _read(self, rest: str) -> Any:
        fixed = {
            "": {"serviceName": SERVICE, "zone": [self._zone(zone) for zone in self.zones], **self.service},
            "/pendingChanges": [{"zone": self._zone(zone), "number": number} for zone, number in self.pending.items()],
            **_named("/ssl", "id"),
            **_named("/vrack/network", "vrackNetworkId"),
            "/definedFarms": self._defined("farm"),
            "/definedFrontends": self._defined("frontend"),
            **self.answers,
        }
        if rest in fixed:
            return fixed[rest]
        target = self._target(rest)
        if target.kind == "route":
            routes = self.routes.get(target.protocol, {})
            return list(routes) if target.id is None else routes[target.id]
        if (target.kind, target.protocol) not in MODELS:
            return []  # of what these tests are not about there is nothing
        if target.id is not None:
            return self._answer(target.kind, target.protocol, self._stored(target))
        ids = [
            identifier
            for identifier, body in self.of(target.kind, target.protocol).items()
            if target.kind != "server" or body["backendId"] == target.farm_id
        ]
        return ids[::-1] if self.dialect.backwards else ids

    def _defined(self, kind: str) -> list[Values]:
        return [
            {"id": identifier, "type": protocol} for protocol in PROTOCOLS for identifier in self.of(kind, protocol)
        ]

    def _answer(self, kind: str, protocol: str, body: Values) -> Values:
        answer = self._spelled(MODELS[kind, protocol], body)
        if "zone" in answer:
            answer["zone"] = self._zone(answer["zone"])
        if kind == "farm" and "probe" in answer:
            probe = answer["probe"]
            answer["probe"] = self._spelled_probe(probe) if probe else self.dialect.no_probe
        if self.dialect.backwards:
            answer = {name: value[::-1] if isinstance(value, list) else value for name, value in answer.items()}
        return answer

    def _spelled_probe(self, probe: Values) -> Values:
        answer = self._spelled(PROBE, probe)
        if answer["method"] is None:
            answer["method"] = self.dialect.probe_method
        return answer

    def _spelled(self, model: Model, body: Values) -> Values:
        """Every field: null where nothing is set, or the default in words."""
        return {
            name: known.default if body.get(name) is None and self._spells(known.nullable) else body.get(name)
            for name, known in model.items()
        }

    def _spells(self, nullable: bool) -> bool:
        return self.dialect.spelled_defaults or not nullable

    def _zone(self, zone: str) -> str:
        return zone.upper() if self.dialect.upper_case_zones else zone

    # Writing

    def _create(self, target: Target, body: Values) -> Values:
        model = MODELS[target.kind, target.protocol]
        self._check(target, model, body)
        missing = [name for name, known in model.items() if known.required and body.get(name) is None]
        if missing:
            raise self._refuse(400, f"{missing} missing")
        if target.kind == "server":
            self._stored(Target("farm", target.protocol, target.farm_id))
            body["backendId"] = target.farm_id
        self._last_id += 1
        body[ID_FIELDS[target.kind]] = self._last_id
        self.objects[target.kind, target.protocol, self._last_id] = body
        return self._answer(target.kind, target.protocol, body)

    def _update(self, target: Target, body: Values) -> None:
        stored = self._stored(target)
        model = MODELS[target.kind, target.protocol]
        for name, value in body.items():
            if name in model and model[name].access == "create" and value != stored[name]:
                raise self._refuse(400, f"{name} is read-only")
        self._check(target, model, {**stored, **body}, written=body)
        stored.update(body)

    def _delete(self, target: Target) -> None:
        self._stored(target)
        if target.kind == "farm":
            self._check_unused(target)
        del self.objects[target.kind, target.protocol, target.id or 0]

    def _check_unused(self, farm: Target) -> None:
        users = [
            *(item for item in self.of("server", farm.protocol).values() if item["backendId"] == farm.id),
            *(item for item in self.of("frontend", farm.protocol).values() if item.get("defaultFarmId") == farm.id),
        ]
        if users:
            raise self._refuse(409, f"farm {farm.id} is in use")

    def _check(self, target: Target, model: Model, body: Values, written: Values | None = None) -> None:
        for name, value in (body if written is None else written).items():
            if name not in model or model[name].access == "ro":
                raise self._refuse(400, f"{name} can not be written")
            if value is None and not model[name].nullable:
                raise self._refuse(400, f"{name} can not be null")
            if value is not None and model[name].values and value not in model[name].values:
                raise self._refuse(400, f"{name} can not be {value}")
            if value == 0 and name.endswith("Id"):
                raise self._refuse(500, "Internal server error")
        if body.get("allowedSource") and body.get("deniedSource"):
            raise self._refuse(400, "allowedSource and deniedSource exclude each other")
        if "zone" in body and body["zone"] not in (*self.zones, "all"):
            raise self._refuse(400, f"zone {body['zone']}")
        if target.kind == "frontend" and body.get("defaultFarmId") is not None:
            self._stored(Target("farm", target.protocol, body["defaultFarmId"]))
        if target.kind == "farm" and body.get("probe"):
            self._check_probe(body["probe"])

    def _check_probe(self, probe: Values) -> None:
        if set(probe) - set(PROBE):
            raise self._refuse(400, "unknown field in probe")
        if probe.get("negate") is not None and probe.get("match") is None:
            raise self._refuse(400, "A probe can not negate without a match")

    # Shared

    def _stored(self, target: Target) -> Values:
        try:
            body = self.objects[target.kind, target.protocol, target.id or 0]
        except KeyError:
            raise self._refuse(404, f"no {target.kind} {target.id}") from None
        if target.kind == "server" and target.farm_id != body["backendId"]:
            raise self._refuse(404, f"no server {target.id} in farm {target.farm_id}")
        return body

    def _target(self, rest: str) -> Target:
        match = PATH.fullmatch(rest)
        if not match:
            raise self._refuse(404, f"Got an invalid (or empty) URL: {rest}")
        identifier = int(match["id"]) if match["id"] else None
        if not match["servers"]:
            return Target(match["kind"], match["protocol"], identifier)
        return Target("server", match["protocol"], int(match["server_id"]) if match["server_id"] else None, identifier)

    @staticmethod
    def _refuse(status: int, message: str) -> ApiError:
        return ApiError(message, call="fake", status=status)
