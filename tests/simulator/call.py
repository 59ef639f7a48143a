# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a handler gets and how an operation is described."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from .auth import Authenticator
from .errors import ApiError
from .health import Health
from .state import Simulator
from .tasks import Refresher, Runner


@dataclass
class Context:
    """The parts of a running simulator."""

    sim: Simulator
    auth: Authenticator
    runner: Runner
    refresher: Refresher
    health: Health


@dataclass
class Call:
    context: Context
    request: Request
    body: dict[str, Any]

    @property
    def sim(self) -> Simulator:
        return self.context.sim

    @property
    def query(self) -> dict[str, str]:
        return dict(self.request.query_params)

    def id(self, name: str) -> int:
        value = str(self.request.path_params[name])
        if not value.isdigit():
            raise ApiError(400, f"[{name}] long Given data ({value}) is not valid for type long")
        return int(value)


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Operation:
    """One method of one path. ``action``: IAM action, None where IAM has no say."""

    method: str
    path: str
    handler: Handler
    action: str | None
