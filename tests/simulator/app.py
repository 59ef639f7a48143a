# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ASGI application: every operation of the API under /1.0 and /v1, the token endpoint, the administration."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from . import admin, auth_calls, certificates, resources, service, vrack
from .auth import Authenticator, OAuth2Error, authorize
from .balancer import HaproxyBalancers, NoBalancers
from .call import Call, Context, Operation
from .errors import ApiError
from .front import PREFIXES, FrontDoor
from .health import Health
from .state import Simulator
from .tasks import Refresher, Runner

SERVICE = "/ipLoadbalancing/{serviceName}"


class ApiJson(JSONResponse):
    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def build(sim: Simulator) -> ASGIApp:
    """Raises nothing: HAProxy starts with the first refresh."""
    health = Health(sim)
    balancers = HaproxyBalancers(sim, health) if sim.settings.haproxy else NoBalancers(health)
    runner = Runner(sim)
    context = Context(sim, Authenticator(sim), runner, Refresher(sim, runner, balancers), health)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await context.runner.stop()
        await balancers.stop()

    app = Starlette(
        exception_handlers={
            ApiError: api_error(sim),
            HTTPException: unknown_path,
            OAuth2Error: oauth2_error,
            ValueError: admin_error,
            Exception: internal_error,
        },
        lifespan=lifespan,
    )
    door = FrontDoor(app, context)
    api = api_routes(context)
    app.router.routes.extend([Mount(prefix, routes=api) for prefix in PREFIXES])
    app.router.routes.append(Route("/auth/oauth2/token", token_endpoint(context), methods=["POST"]))
    app.router.routes.append(Mount("/_simulator", routes=admin.routes(context, door, balancers)))
    return door


def operations() -> list[Operation]:
    """Everything that is served below /1.0, except the time."""
    return [
        *auth_calls.operations(),
        *service.operations(SERVICE),
        *resources.operations(SERVICE),
        *certificates.operations(SERVICE),
        *vrack.operations(SERVICE),
        *vrack.outer_operations(),
    ]


def api_routes(context: Context) -> list[Route]:
    routes = [
        Route(operation.path, endpoint(context, operation), methods=[operation.method]) for operation in operations()
    ]
    return [Route("/auth/time", server_time(context.sim), methods=["GET"]), *routes]


def endpoint(context: Context, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        raw = await request.body()
        identity = context.auth.identify(request, raw)
        authorize(identity, request.method, operation.action)
        name = request.path_params.get("serviceName", context.sim.settings.service)
        if name != context.sim.settings.service:
            raise ApiError(404, "This service does not exist")
        request.state.headers = {}
        result = await operation.handler(Call(context, request, parsed(raw)))
        return ApiJson(result, headers=request.state.headers)

    return respond


def parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw) if raw else None
    except ValueError as error:
        raise ApiError(400, "Invalid JSON received") from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid JSON received: not an object")
    return body


def server_time(sim: Simulator) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        return ApiJson(int(sim.now()))

    return respond


def token_endpoint(context: Context) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        return JSONResponse(context.auth.issue_token(request, await request.body()))

    return respond


# Errors


def api_error(sim: Simulator) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def respond(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return ApiJson(error.body(sim.switches["auth_error_shape"]), error.status, error.headers)

    return respond


async def unknown_path(request: Request, error: Exception) -> Response:
    return ApiJson({"class": "Client::NotFound", "message": "Got an invalid (or empty) URL"}, 404)


async def internal_error(request: Request, error: Exception) -> Response:
    """A mistake of the simulator; the traceback goes to standard error."""
    return ApiJson({"class": "Server::InternalServerError", "message": "Internal server error"}, 500)


async def oauth2_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OAuth2Error)
    return JSONResponse({"error": error.error}, error.status)


async def admin_error(request: Request, error: Exception) -> Response:
    """A ValueError is a mistake in a request to the administration; anywhere else it is one of the simulator."""
    if not request.url.path.startswith("/_simulator"):
        raise error
    return JSONResponse({"message": str(error)}, 400)
