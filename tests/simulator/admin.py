# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``/_simulator``: what tests use to look inside and to make trouble. No authentication; never part of the real API."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .call import Context
from .configuration import Configuration
from .faults import Fault
from .front import FrontDoor


class Runtime(Protocol):
    """The running balancers, as the administration sees them."""

    async def stop(self) -> None:
        """End them, and what watches them."""

    def rendered(self, zone: str) -> str | None:
        """The configuration that runs in a zone."""


STATE_FIELDS = ("checkCode", "checkStatus", "checkTime", "instanceId", "lastCheckContent", "status")


def routes(context: Context, door: FrontDoor, balancers: Runtime) -> list[Route]:
    sim = context.sim

    async def reset(request: Request) -> Response:
        body = await json_body(request)
        await context.runner.stop()
        await balancers.stop()
        sim.reset(body.get("switches", {}))
        context.auth.reset()
        context.health.reset()
        door.reset()
        return JSONResponse(None)

    async def get_switches(request: Request) -> Response:
        return JSONResponse(sim.switches.values)

    async def put_switches(request: Request) -> Response:
        sim.switches.update(await json_body(request))
        sim.follow_switches()
        return JSONResponse(sim.switches.values)

    async def add_fault(request: Request) -> Response:
        try:
            door.faults.append(Fault(**await json_body(request)))
        except TypeError as error:
            raise ValueError(str(error)) from error
        return JSONResponse(None)

    async def delete_faults(request: Request) -> Response:
        door.faults.clear()
        return JSONResponse(None)

    async def get_requests(request: Request) -> Response:
        return JSONResponse(door.log())

    async def delete_requests(request: Request) -> Response:
        door.forget()
        return JSONResponse(None)

    async def get_calls(request: Request) -> Response:
        return JSONResponse({"total": door.calls.total(), "calls": dict(sorted(door.calls.items()))})

    async def get_staged(request: Request) -> Response:
        return JSONResponse(objects(sim.state.staged))

    async def get_live(request: Request) -> Response:
        return JSONResponse({zone: objects(live, zone) for zone, live in sim.state.live.items()})

    async def put_clock(request: Request) -> Response:
        sim.state.clock_skew = float((await json_body(request)).get("skew", 0))
        return JSONResponse(None)

    async def put_health(request: Request) -> Response:
        sim.state.health = {address: override(value) for address, value in (await json_body(request)).items()}
        return JSONResponse(sim.state.health)

    async def get_haproxy(request: Request) -> Response:
        text = balancers.rendered(request.path_params["zone"])
        return PlainTextResponse(text or "", 200 if text else 404)

    async def get_tasks(request: Request) -> Response:
        return JSONResponse([{**task.view(), "comment": task.comment} for task in sim.state.tasks.values()])

    async def put_catalogues(request: Request) -> Response:
        sim.state.catalogues = checked_catalogues(await json_body(request))
        return JSONResponse(None)

    return [
        Route("/reset", reset, methods=["POST"]),
        Route("/switches", get_switches, methods=["GET"]),
        Route("/switches", put_switches, methods=["PUT"]),
        Route("/faults", add_fault, methods=["POST"]),
        Route("/faults", delete_faults, methods=["DELETE"]),
        Route("/requests", get_requests, methods=["GET"]),
        Route("/requests", delete_requests, methods=["DELETE"]),
        Route("/calls", get_calls, methods=["GET"]),
        Route("/staged", get_staged, methods=["GET"]),
        Route("/live", get_live, methods=["GET"]),
        Route("/catalogues", put_catalogues, methods=["PUT"]),
        Route("/clock", put_clock, methods=["PUT"]),
        Route("/health", put_health, methods=["PUT"]),
        Route("/haproxy/{zone}", get_haproxy, methods=["GET"]),
        Route("/tasks", get_tasks, methods=["GET"]),
    ]


async def json_body(request: Request) -> dict[str, Any]:
    body = await request.body()
    found = await request.json() if body else {}
    if not isinstance(found, dict):
        raise ValueError("the body has to be a JSON object")
    return found


def objects(configuration: Configuration, zone: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """What was created, by kind, such as ``tcp/farm``; ``parent`` is the id of a server's farm or a rule's route."""
    found: dict[str, list[dict[str, Any]]] = {}
    records = configuration.in_zone(zone) if zone else configuration.records.values()
    for record in records:
        if record.given:
            continue
        entry = {**record.values, record.resource.id_field: record.id}
        entry.pop("key", None)
        if record.parent is not None:
            entry["parent"] = record.parent
        found.setdefault(record.resource.name, []).append(entry)
    return found


def checked_catalogues(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    unknown = sorted(set(body) - {"routeActions", "routeRules"})
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not a catalogue; routeActions and routeRules are")
    return body


def override(value: Any) -> dict[str, Any]:
    """A status, or fields of ServerState."""
    fields = {"status": value} if isinstance(value, str) else dict(value)
    unknown = sorted(set(fields) - set(STATE_FIELDS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not a field of ServerState")
    return fields
