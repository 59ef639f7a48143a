# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures, consumer keys, access tokens and IAM, as python-ovh and go-ovh know them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.requests import Request

from . import credentials
from .errors import ApiError
from .state import Simulator


@dataclass(frozen=True)
class Identity:
    name: str
    denied: frozenset[str] = frozenset()
    read_only: bool = False


OWNER = Identity("owner")
CONSUMERS = {
    credentials.CONSUMER_KEY: OWNER,
    credentials.LIMITED_CONSUMER_KEY: Identity("limited", credentials.DENIED_ACTIONS),
    credentials.READ_ONLY_CONSUMER_KEY: Identity("read-only", read_only=True),
}


class Authenticator:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.tokens: dict[str, float] = {}  # token -> expiry
        self.reset()

    def reset(self) -> None:
        """Takes an expiry back. Tokens that were given out stay."""
        self.tokens[credentials.ACCESS_TOKEN] = float("inf")
        self.keys_expired = False

    def expire(self, kind: str) -> None:
        """All "tokens" given out so far, or all consumer "keys" until a reset."""
        if kind == "tokens":
            self.tokens.clear()
        else:
            self.keys_expired = True

    def identify(self, request: Request, body: bytes) -> Identity:
        authorization = request.headers.get("Authorization", "")
        if authorization:
            return self._bearer(authorization)
        return self._signed(request, body)

    def _bearer(self, authorization: str) -> Identity:
        scheme, token = authorization.partition(" ")[::2]
        if scheme != "Bearer" or self.tokens.get(token, 0) < self.sim.now():
            raise ApiError(403, "This credential is not valid", code="INVALID_CREDENTIAL")
        return OWNER

    def _signed(self, request: Request, body: bytes) -> Identity:
        headers = request.headers
        if headers.get("X-Ovh-Application") != credentials.APPLICATION_KEY:
            raise ApiError(403, "This application key is invalid", code="INVALID_KEY")
        consumer_key = headers.get("X-Ovh-Consumer", "")
        if consumer_key == credentials.EXPIRED_CONSUMER_KEY or self.keys_expired:
            raise ApiError(403, "This credential is not valid", code="INVALID_CREDENTIAL")
        if consumer_key not in CONSUMERS:
            raise ApiError(403, "This credential does not exist", code="NOT_CREDENTIAL")
        timestamp = headers.get("X-Ovh-Timestamp", "")
        if not self._in_time(timestamp):
            raise ApiError(400, "Query out of time", code="QUERY_TIME_OUT")
        expected = signature(consumer_key, request.method, signed_url(request), body, timestamp)
        if not hmac.compare_digest(expected, headers.get("X-Ovh-Signature", "")):
            raise ApiError(400, "Invalid signature", code="INVALID_SIGNATURE")
        return CONSUMERS[consumer_key]

    def _in_time(self, timestamp: str) -> bool:
        if not timestamp.isdigit():
            return False
        return abs(self.sim.now() - int(timestamp)) <= self.sim.switches.number("timestamp_window")

    def issue_token(self, request: Request, body: bytes) -> dict[str, Any]:
        """OAuth2 client credentials; the client's id and secret come in the form or as basic authentication."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        client = _basic(request.headers.get("Authorization", "")) or (form.get("client_id"), form.get("client_secret"))
        if form.get("grant_type") != "client_credentials":
            raise OAuth2Error(400, "unsupported_grant_type")
        if client != (credentials.CLIENT_ID, credentials.CLIENT_SECRET):
            raise OAuth2Error(401, "invalid_client")
        token = secrets.token_urlsafe(24)
        lifetime = self.sim.switches.number("token_seconds")
        self.tokens[token] = self.sim.now() + lifetime
        return {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": "all"}


class OAuth2Error(Exception):
    """RFC 6749, section 5.2."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def signature(consumer_key: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    parts = (credentials.APPLICATION_SECRET, consumer_key, method, url, body.decode(), timestamp)
    return "$1$" + hashlib.sha1("+".join(parts).encode()).hexdigest()


def signed_url(request: Request) -> str:
    """The URL exactly as the client wrote it, escapes included."""
    path = request.scope["raw_path"].decode()
    query = request.scope["query_string"].decode()
    return f"{request.url.scheme}://{request.headers.get('Host', '')}{path}{'?' if query else ''}{query}"


def authorize(identity: Identity, method: str, action: str | None) -> None:
    """``action`` is the IAM action of the operation; None for those of /auth."""
    if identity.read_only and method != "GET":
        raise ApiError(403, "This call has not been granted", code="NOT_GRANTED_CALL")
    if action in identity.denied:
        raise ApiError(403, "User not granted for this request", details={"unauthorizedActionsByIAM": str(action)})


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, encoded = authorization.partition(" ")[::2]
    if scheme != "Basic":
        return None
    user, password = base64.b64decode(encoded).decode().partition(":")[::2]
    return unquote(user), unquote(password)
