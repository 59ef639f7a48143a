# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed calls to the OVHcloud API. Private to the collection.

python-ovh signs and does OAuth2; this module repeats what is safe to repeat, and turns every failure into an ApiError
that says what support needs to know.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import random
import re
import threading
import time
import traceback
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode, urlsplit

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.credentials import Settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, InvalidInput, LostAnswer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.pace import Pace
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.refusals import (
    RUN_AGAIN,
    STATUS_REMEDIES,
    error_from,
)

try:
    import ovh
    import ovh.client
    import requests

    OVH_IMPORT_ERROR = None
except ImportError:
    OVH_IMPORT_ERROR = traceback.format_exc()
except (configparser.Error, UnicodeDecodeError):
    # python-ovh reads ovh.conf while it is imported, and its error shows the lines, secrets and all. find_settings
    # reads the same files before anything else, and says what is wrong.
    OVH_IMPORT_ERROR = None
NOT_STARTED = object()
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
BACKOFF_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 30.0
RETRY_AFTER_LIMIT_SECONDS = 120.0
NOT_AS_DESCRIBED = f"the answer is not what the API describes; {RUN_AGAIN}"


class _BearerClient:
    """The part of python-ovh's client that is used here, for an access token, which python-ovh does not take."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._session = requests.Session()
        # As an auth object, so that a netrc entry for the host can not replace it.
        self._session.auth = lambda request: _with_header(request, "Authorization", f"Bearer {token}")

    def raw_call(self, method: str, path: str, data: t.Any = None, headers: dict[str, str] | None = None) -> t.Any:
        return self._session.request(method, self._url + path, json=data, headers=headers, timeout=self._timeout)


def _with_header(request: t.Any, name: str, value: str) -> t.Any:
    request.headers[name] = value
    return request


class _NoConfiguration:
    """Stands in for python-ovh's look-up in environment and files, which would mix two sets of credentials."""

    def get(self, section: str, name: str) -> None:
        return None


@contextlib.contextmanager
def _without_configuration() -> t.Iterator[None]:
    original = ovh.client.config.ConfigurationManager
    ovh.client.config.ConfigurationManager = _NoConfiguration
    try:
        yield
    finally:
        ovh.client.config.ConfigurationManager = original


def _make_client(settings: Settings) -> t.Any:
    url = _endpoint_url(settings.endpoint)
    if "access_token" in settings.credentials:
        return _BearerClient(url, settings.credentials["access_token"], settings.timeout)
    name = next((name for name, known in ovh.client.ENDPOINTS.items() if known == url), url)
    if name == url:
        # python-ovh takes names only: give it the URL as a name.
        ovh.client.ENDPOINTS[url] = url
        parts = urlsplit(url)
        ovh.client.OAUTH2_TOKEN_URLS[url] = f"{parts.scheme}://{parts.netloc}/auth/oauth2/token"
        if parts.scheme == "http":
            # oauthlib refuses plain http, which only a local stand-in of the API uses.
            os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")
    try:
        with _without_configuration():
            return ovh.Client(endpoint=name, timeout=settings.timeout, **settings.credentials)
    except ovh.exceptions.InvalidConfiguration:
        raise InvalidInput("credentials: python-ovh refuses this set for this endpoint; check their kind") from None


def _endpoint_url(endpoint: str) -> str:
    if endpoint in ovh.client.ENDPOINTS:
        return ovh.client.ENDPOINTS[endpoint]
    with contextlib.suppress(ValueError):  # of a broken IPv6 address
        parts = urlsplit(endpoint)
        if parts.scheme in ("http", "https") and parts.netloc:
            return endpoint.rstrip("/")
    raise InvalidInput(
        f'endpoint "{endpoint}" is unknown; use one of {", ".join(sorted(ovh.client.ENDPOINTS))}, or an http(s) URL'
    )


class Api:
    """Calls below one API endpoint, over one kept connection pool."""

    _pace: Pace | None = None
    _answers: dict[t.Any, t.Any] | None = None

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = _make_client(settings)
        self._pace = Pace(settings.calls_per_minute, settings.counted_by) if settings.calls_per_minute else None

    def keep_answers(self) -> None:
        """Ask nothing twice from now on: for a run that writes nothing, and so needs one look only."""
        self._answers = {}

    @property
    def endpoint(self) -> str:
        return self._settings.endpoint

    @property
    def paced(self) -> float:
        """Seconds spent so far on keeping the pace."""
        return self._pace.waited if self._pace else 0.0

    def get(self, path: str, **query: t.Any) -> t.Any:
        path = _with_query(path, query)
        return self._once(path, lambda: self._call("GET", path))

    def get_object(self, path: str, *needed: str) -> dict[str, t.Any]:
        """The answer, which has to be an object with these fields."""
        return _object(self.get(path), f"GET {path}", needed)

    def get_list(self, path: str, kind: type | tuple[type, ...] = int, **query: t.Any) -> list[t.Any]:
        """The answer, which has to be a list of these.

        Null is no list of ids: what is missing from one is created.
        """
        answer = self.get(path, **query)
        if answer is None and kind is dict:
            return []
        if not isinstance(answer, list) or not all(isinstance(item, kind) for item in answer):
            raise ApiError(NOT_AS_DESCRIBED, call=f"GET {path}")
        return answer

    def get_many(self, paths: t.Sequence[str]) -> list[dict[str, t.Any]]:
        """Objects in the order of ``paths``, read with bounded concurrency.

        Never the first call of a run: python-ovh fetches the server's time and the OAuth2 token with the first one,
        and threads would each fetch their own.
        """
        return self.map(self.get_object, paths)

    def map(self, call: t.Callable[[t.Any], t.Any], items: t.Sequence[t.Any]) -> list[t.Any]:
        """Results in the order of ``items``, with bounded concurrency.

        :raises ApiError: the first failure, once everything that is under way has ended.
        """
        outcomes = self.each(call, items)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return outcomes

    def each(self, call: t.Callable[[t.Any], t.Any], items: t.Sequence[t.Any]) -> list[t.Any]:
        """For each item its result, or the exception that it ended with, or NOT_STARTED after another's failure."""
        failed = threading.Event()

        def attempt(item: t.Any) -> t.Any:
            if failed.is_set():
                return NOT_STARTED
            try:
                return call(item)
            except Exception as error:
                failed.set()
                return error

        if len(items) < 2:
            return [attempt(item) for item in items]
        with ThreadPoolExecutor(max_workers=min(self._settings.concurrency, len(items))) as pool:
            return list(pool.map(attempt, items))

    def get_page(
        self, path: str, headers: dict[str, str], query: dict[str, t.Any] | None = None
    ) -> tuple[t.Any, int | None]:
        """A list asked for with these headers, and how many elements the API says that it has, where it does."""
        path = _with_query(path, query or {})
        answer = self._once(("page", path), lambda: self._request("GET", path, None, headers))
        total = answer.headers.get("X-Pagination-Elements", "")
        return _json(answer, f"GET {path}"), int(total) if total.isdigit() else None

    def _once(self, asked: t.Any, ask: t.Callable[[], t.Any]) -> t.Any:
        """What is asked for, or the kept answer."""
        if self._answers is None:
            return ask()
        if asked not in self._answers:
            self._answers[asked] = ask()
        return self._answers[asked]

    def put(self, path: str, body: dict[str, t.Any]) -> None:
        self._call("PUT", path, body)

    def post(self, path: str, body: dict[str, t.Any], *needed: str) -> dict[str, t.Any]:
        """The object of the answer, which has to have these fields.

        :raises LostAnswer: when it can not be known whether the request was carried out, or what came of it.
        """
        call = f"POST {path}"
        try:
            return _object(self._call("POST", path, body), call, needed)
        except ApiError as error:
            if error.is_refusal or isinstance(error, LostAnswer):
                raise
            raise LostAnswer(error.reason, call=call, status=error.status) from None

    def delete(self, path: str) -> None:
        """Delete; an object that is gone after a repeated request counts as deleted."""
        self._call("DELETE", path)

    def _call(self, method: str, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
        """The JSON of the answer."""
        answer = self._request(method, path, body)
        return None if answer is None else _json(answer, f"{method} {path}")

    def _request(
        self, method: str, path: str, body: dict[str, t.Any] | None, headers: dict[str, str] | None = None
    ) -> t.Any:
        """The answer, or None to a deletion of what is gone. Repeats what is safe to repeat, see RETRIED_STATUSES."""
        call = f"{method} {path}"
        uncertain = False
        round_number = 0
        while True:
            if self._pace:
                self._pace.wait()
            answer, failure = self._attempt(method, path, body, call, headers)
            if failure is None:
                return answer
            if uncertain and method == "DELETE" and failure.status == 404:
                return None
            if failure.status is not None and failure.status not in RETRIED_STATUSES:
                raise failure
            # 429 says that the call was not carried out; anything else leaves that open.
            uncertain = uncertain or failure.status != 429
            is_lost = uncertain and method == "POST"
            if round_number == self._settings.retries and not is_lost:
                raise failure
            # After a lost answer too: the request may still be under way, and the caller looks for its object next.
            time.sleep(_retry_after(answer) or _backoff(round_number))
            if is_lost:
                raise LostAnswer(failure.reason, call=call, status=failure.status, query_id=failure.query_id)
            round_number += 1

    def _attempt(
        self, method: str, path: str, body: dict[str, t.Any] | None, call: str, headers: dict[str, str] | None
    ) -> tuple[t.Any, ApiError | None]:
        """One request: its answer (None if there was none), and what was wrong with it.

        python-ovh asks for the time and the OAuth2 token inside the first request and raises what goes wrong there
        as exceptions of its own.
        """
        try:
            # A copy: python-ovh puts the signature of the call into it.
            answer = self._client.raw_call(method, path, data=body, headers=dict(headers or {}))
        except ovh.exceptions.OAuth2FailureError as error:
            status = _token_status(error)
            if status in RETRIED_STATUSES:
                return None, ApiError("the OAuth2 token could not be fetched", call=call, status=status)
            message = "the OAuth2 token was refused; check client_id and client_secret"
            raise ApiError(message, call=call) from None
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,  # the connection ended within the answer
            ovh.exceptions.HTTPError,
        ) as error:
            return None, ApiError(f"no answer ({_network_reason(error)})", call=call)
        except (ovh.exceptions.InvalidResponse, AttributeError, TypeError):
            # Only python-ovh's own question for the time is decoded there: a proxy's page is no answer to it, nor is
            # null or a text, over which it stumbles.
            return None, ApiError(f"no answer (the API does not tell its time; {STATUS_REMEDIES[503]})", call=call)
        except ovh.exceptions.APIError as error:
            if error.response is None:
                raise ApiError(f"the request could not be made ({type(error).__name__})", call=call) from None
            answer = error.response
        except Exception as error:
            # Of others' exceptions only the kind: their text may repeat headers and so a token.
            raise ApiError(f"the request could not be made ({type(error).__name__})", call=call) from None
        return answer, None if answer.status_code < 300 else error_from(answer, call)


def _with_query(path: str, query: dict[str, t.Any]) -> str:
    arguments = {key: value for key, value in query.items() if value is not None}
    return path + (f"?{urlencode(arguments)}" if arguments else "")


def _token_status(error: Exception) -> int | None:
    """HTTP status of the token endpoint, which python-ovh tells in the text of its exception only."""
    found = re.search(r"status_code=(\d+)", str(error))
    return int(found[1]) if found else None


def _network_reason(error: Exception) -> str:
    """The kind of failure only: the text of the exception repeats the URL and addresses at length."""
    cause = error.args[1] if isinstance(error, ovh.exceptions.HTTPError) and len(error.args) > 1 else error
    if isinstance(cause, requests.Timeout):
        return "timed out"
    if isinstance(cause, requests.exceptions.SSLError):
        return "TLS certificate not accepted"
    return "connection failed; check the endpoint, the network and the proxy"


def _backoff(round_number: int) -> float:
    return min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2**round_number) * random.uniform(0.5, 1.0)


def _retry_after(answer: t.Any) -> float | None:
    """Seconds from Retry-After; its date form counts as absent."""
    if answer is None:
        return None
    try:
        return min(RETRY_AFTER_LIMIT_SECONDS, max(0.0, float(answer.headers["Retry-After"])))
    except (KeyError, ValueError):
        return None


def _json(answer: t.Any, call: str) -> t.Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        message = f"the answer is not JSON; {RUN_AGAIN}"
        raise ApiError(message, call=call, status=answer.status_code) from None


def _object(answer: t.Any, call: str, needed: t.Sequence[str]) -> dict[str, t.Any]:
    if not isinstance(answer, dict) or any(answer.get(name) is None for name in needed):
        raise ApiError(NOT_AS_DESCRIBED, call=call)
    return answer


def segment(value: t.Any) -> str:
    """A value as one segment of a path."""
    return quote(str(value), safe="")
