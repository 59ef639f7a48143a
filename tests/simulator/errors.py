# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as the API words them: two generations of JSON bodies, see ``ApiError.body``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

CLASSES = {
    400: "Client::BadRequest",
    401: "Client::Unauthorized",
    403: "Client::Forbidden",
    404: "Client::NotFound",
    409: "Client::Conflict",
    429: "Client::TooManyRequests",
    500: "Server::InternalServerError",
}


class ApiError(Exception):
    """An answer other than 200. ``code`` is the older errorCode, which only the authentication layer sends."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.details = details
        self.headers = headers or {}

    def body(self, shape: str) -> dict[str, Any]:
        """``shape`` (switch auth_error_shape) chooses the fields of an authentication error."""
        newer: dict[str, Any] = {"class": CLASSES.get(self.status, "Client::BadRequest"), "message": self.message}
        if self.details:
            newer["details"] = self.details
        if not self.code:
            return newer
        older = {
            "errorCode": self.code,
            "httpCode": f"{self.status} {HTTPStatus(self.status).phrase}",
            "message": self.message,
        }
        return {"both": {**newer, **older}, "class": newer, "errorCode": older}[shape]


def bad_field(name: str, type_name: str, text: str) -> ApiError:
    """A validation error in the API's own form, ``[field] type text``."""
    return ApiError(400, f"[{name}] {type_name} {text}")


def not_found(id_field: str, value: object) -> ApiError:
    return ApiError(404, f"The requested object ({id_field} = {value}) does not exist")
