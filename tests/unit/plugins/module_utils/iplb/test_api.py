# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials, signatures, retries and errors, against a real HTTP server on loopback."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import api as _api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import refusals
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.credentials import Settings, find_settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, InvalidInput, LostAnswer

from unit.plugins.module_utils.iplb.clock import Clock
from unit.plugins.module_utils.iplb.http_server import CUT, DROP, HTML, TIME, Answer, Server, serving

Call = Callable[[Api], Any]

KEYS = {"application_key": "the-key", "application_secret": "the-secret", "consumer_key": "the-consumer"}
CLIENT = {"client_id": "the-client", "client_secret": "the-client-secret"}
TOKEN = {"access_token": "the-token"}
SECRETS = ("the-secret", "the-consumer", "the-client-secret", "the-token")


def environment_of(**values: str) -> dict[str, str]:
    return {f"OVH_{name.upper()}": value for name, value in values.items()}


# Settings


def test_options_are_stronger_than_the_environment_and_that_than_a_file(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "ovh-ca", **KEYS)
    environment = environment_of(endpoint="ovh-ca", access_token="from-environment")
    assert find_settings({}, {"OVH_ENDPOINT": "ovh-ca"}, [conf]) == Settings("ovh-ca", KEYS)
    assert find_settings({}, environment, [conf]).credentials == {"access_token": "from-environment"}
    found = find_settings({"endpoint": "ovh-eu", **CLIENT}, environment, [conf])
    assert found == Settings("ovh-eu", CLIENT)


def test_endpoint_and_credentials_are_looked_up_apart(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "ovh-eu", **KEYS)
    assert find_settings(dict(TOKEN), {}, [conf]) == Settings("ovh-eu", TOKEN)


def test_the_file_s_section_is_that_of_the_endpoint(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, "ovh-eu", **KEYS)
    with pytest.raises(InvalidInput, match="credentials are missing"):
        find_settings({"endpoint": "ovh-us"}, {}, [conf])


def test_the_last_file_is_the_strongest_and_completes_the_others(tmp_path: Path) -> None:
    first = write_conf(tmp_path, "ovh-eu", **KEYS)
    second = tmp_path / "second.conf"
    second.write_text("[ovh-eu]\nconsumer_key=with%percent\n")
    found = find_settings({}, {}, [first, str(second), str(tmp_path / "missing.conf")])
    assert found.credentials == {**KEYS, "consumer_key": "with%percent"}


@pytest.mark.parametrize("form", [KEYS, CLIENT, TOKEN])
@pytest.mark.parametrize("other", [KEYS, CLIENT, TOKEN])
def test_one_complete_set_is_taken_and_never_mixed_with_another(form: dict[str, str], other: dict[str, str]) -> None:
    weaker = environment_of(**{name: f"weaker-{name}" for name in other})
    assert find_settings({"endpoint": "ovh-eu", **form}, weaker, []).credentials == form


def test_a_weaker_source_may_complete_the_form_that_a_stronger_one_began() -> None:
    options = {"endpoint": "ovh-eu", "consumer_key": "the-consumer"}
    environment = environment_of(application_key="the-key", application_secret="the-secret", client_id="other")
    assert find_settings(options, environment, []).credentials == KEYS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {**KEYS, "consumer_key": None},
            "incomplete: consumer_key missing beside application_key, application_secret;",
        ),
        ({"application_key": "the-key"}, "incomplete: application_secret, consumer_key missing"),
        ({"client_secret": "the-client-secret"}, "incomplete: client_id missing"),
        ({**KEYS, **TOKEN}, "more than one kind of credentials in the options: .*; access_token.*keep one"),
        ({**KEYS, **CLIENT}, "more than one kind of credentials in the options"),
        ({}, "credentials are missing: give application_key, application_secret and consumer_key, or client_id"),
        ({"endpoint": "", **KEYS}, "endpoint is missing: set the option endpoint, OVH_ENDPOINT, or endpoint in ovh"),
    ],
)
def test_incomplete_settings_say_what_is_missing_and_show_no_secret(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as failure:
        find_settings({"endpoint": "ovh-eu", **options}, {}, [])
    assert not [secret for secret in SECRETS if secret in str(failure.value)]


@pytest.mark.parametrize("content", ["the-secret\n", "[a]\nthe-secret\n", "[a]\nx=1\nx=the-secret\n", "\udcff"])
def test_a_broken_file_is_named_without_its_content(tmp_path: Path, content: str) -> None:
    conf = tmp_path / "ovh.conf"
    conf.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InvalidInput, match=r"ovh\.conf can not be read: .*; correct or remove the file") as failure:
        find_settings({}, {}, [str(conf)])
    assert "the-secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, (60.0, 5)), ({"timeout": None, "retries": None}, (60.0, 5)), ({"timeout": 2, "retries": 0}, (2.0, 0))],
)
def test_timeout_and_retries(options: dict[str, Any], expected: tuple[float, int]) -> None:
    found = find_settings({"endpoint": "ovh-eu", **TOKEN, **options}, {}, [])
    assert (found.timeout, found.retries) == expected


@pytest.mark.parametrize(("name", "value"), [("timeout", 0), ("timeout", -5), ("retries", -1)])
def test_limits_that_make_no_sense_are_named(name: str, value: int) -> None:
    with pytest.raises(InvalidInput, match=f"{name}: {value} must be"):
        find_settings({"endpoint": "ovh-eu", **TOKEN, name: value}, {}, [])


def test_a_broken_file_does_not_keep_the_module_from_loading(tmp_path: Path) -> None:
    """python-ovh reads ovh.conf while it is imported, and its error quotes the lines."""
    (tmp_path / "ovh.conf").write_text("[default]\nendpoint=ovh-eu\napplication_secret the-secret\n")
    program = f"import {_api.__name__}; from {find_settings.__module__} import find_settings; find_settings({{}})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "InvalidInput: ovh.conf can not be read: ParsingError; correct or remove the file" in done.stderr
    assert "the-secret" not in done.stderr


@pytest.mark.parametrize("credentials", [KEYS, CLIENT, TOKEN])
def test_settings_do_not_show_secrets(credentials: dict[str, str]) -> None:
    assert not [secret for secret in SECRETS if secret in repr(Settings("ovh-eu", credentials))]


def write_conf(directory: Path, endpoint: str, **values: str) -> str:
    lines = ["[default]", f"endpoint={endpoint}", f"[{endpoint}]", *(f"{name}={item}" for name, item in values.items())]
    conf = directory / "ovh.conf"
    conf.write_text("\n".join(lines))
    return str(conf)


# Signing in


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Pauses between attempts take no time."""
    clock = Clock()
    monkeypatch.setattr(_api, "time", clock)
    return clock


@pytest.fixture
def api(server: Server, clock: Clock) -> Api:
    return Api(Settings(server.url, TOKEN, retries=3))


def test_calls_are_signed_with_the_keys(server: Server) -> None:
    Api(Settings(server.url, KEYS)).put("/path?query=a", {"displayName": "é", "probe": None})
    (request,) = server.requests
    assert request.body == '{"displayName":"\\u00e9","probe":null}'
    stamp = request.headers["X-Ovh-Timestamp"]
    assert abs(int(stamp) - TIME) < 60
    url = f"{server.url}/path?query=a"
    signed = "+".join(["the-secret", "the-consumer", "PUT", url, request.body, stamp])
    assert request.headers["X-Ovh-Signature"] == "$1$" + hashlib.sha1(signed.encode()).hexdigest()
    assert (request.headers["X-Ovh-Application"], request.headers["X-Ovh-Consumer"]) == ("the-key", "the-consumer")


@pytest.mark.parametrize("used", [KEYS, CLIENT])
def test_python_ovh_sees_no_other_credentials_of_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, used: dict[str, str]
) -> None:
    for name, value in environment_of(**(CLIENT if used is KEYS else KEYS)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    write_conf(tmp_path, server.url, **KEYS, **CLIENT)
    Api(Settings(server.url, used)).get("/me")
    assert ("X-Ovh-Signature" in server.requests[0].headers) == (used is KEYS)


def test_an_access_token_is_sent_though_netrc_knows_the_host(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    Api(Settings(server.url, TOKEN)).get("/me")
    assert server.requests[0].headers["Authorization"] == "Bearer the-token"


def test_an_oauth2_token_is_fetched_once_and_sent_with_every_call(server: Server) -> None:
    api = Api(Settings(server.url, CLIENT))
    api.get("/first")
    api.get_many([f"/{number}" for number in range(10)])
    (fetched,) = server.setup_requests
    assert parse_qs(fetched.body)["grant_type"] == ["client_credentials"]
    assert b64decode(fetched.headers["Authorization"].removeprefix("Basic ")) == b"the-client:the-client-secret"
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer fetched"}


def test_a_refused_oauth2_client_is_an_error_without_the_secret(server: Server, clock: Clock) -> None:
    server.setup_answers = [Answer(401, {"error": "invalid_client", "error_description": "the-client-secret is bad"})]
    with pytest.raises(ApiError, match="token was refused; check client_id and client_secret") as failure:
        Api(Settings(server.url, CLIENT)).get("/me")
    assert "the-client-secret" not in str(failure.value)
    assert len(server.setup_requests) == 1


@pytest.mark.parametrize("trouble", [DROP, Answer(503, HTML), Answer(429, {"message": "slow"}), CUT])
@pytest.mark.parametrize("credentials", [KEYS, CLIENT])
def test_signing_in_survives_a_moment_of_trouble(
    server: Server, clock: Clock, credentials: dict[str, str], trouble: Answer
) -> None:
    server.setup_answers = [trouble]
    assert Api(Settings(server.url, credentials)).get("/me") == {"path": "/1.0/me"}


@pytest.mark.parametrize("endpoint", ["ovh-mars", "api.ovh.com/1.0", "ftp://127.0.0.1/1.0"])
def test_an_unknown_endpoint_is_an_error_that_lists_the_known(endpoint: str) -> None:
    with pytest.raises(InvalidInput, match=f'endpoint "{endpoint}" is unknown; use one of .*ovh-eu.*URL'):
        Api(Settings(endpoint, TOKEN))


# Repeating


def test_a_query_leaves_out_what_is_none(server: Server, api: Api) -> None:
    api.get("/task", action="refreshIplb", status=None, note="a b&c")
    assert server.requests[0].path == "/1.0/task?action=refreshIplb&note=a+b%26c"


@pytest.mark.parametrize("trouble", [DROP, CUT, Answer(502, HTML), Answer(503, {"message": "x"}), Answer(504)])
@pytest.mark.parametrize(
    "call", [lambda api: api.get("/it"), lambda api: api.put("/it", {"a": 1}), lambda api: api.delete("/it")]
)
def test_what_is_safe_to_repeat_is_repeated(
    server: Server, api: Api, clock: Clock, call: Call, trouble: Answer
) -> None:
    server.answers = [trouble, trouble]
    call(api)
    assert len(server.requests) == 3
    assert len({(request.method, request.body) for request in server.requests}) == 1
    assert 0 < clock.pauses[0] <= _api.BACKOFF_SECONDS < 2 * clock.pauses[1] <= 4 * _api.BACKOFF_SECONDS


@pytest.mark.parametrize("trouble", [DROP, CUT, Answer(502, HTML), Answer(503, {"message": "x"}), Answer(504)])
def test_a_creation_without_answer_is_never_repeated_blindly(
    server: Server, api: Api, clock: Clock, trouble: Answer
) -> None:
    server.answers = [trouble]
    with pytest.raises(LostAnswer):
        api.post("/it", {})
    assert len(server.requests) == 1
    assert clock.pauses, "the caller looks for the object next, which may still be under way"


def test_a_creation_that_was_put_off_is_repeated(server: Server, api: Api) -> None:
    server.answers = [Answer(429, {"message": "slow"}), Answer(body={"farmId": 7})]
    assert api.post("/it", {}) == {"farmId": 7}


def test_a_creation_put_off_and_then_lost_is_lost(server: Server, api: Api) -> None:
    server.answers = [Answer(429), DROP]
    with pytest.raises(LostAnswer):
        api.post("/it", {})


@pytest.mark.parametrize(
    ("header", "pause"), [("7", 7.0), ("0.25", 0.25), ("3600", _api.RETRY_AFTER_LIMIT_SECONDS), ("-5", None)]
)
def test_retry_after_is_honoured_within_reason(
    server: Server, api: Api, clock: Clock, header: str, pause: float | None
) -> None:
    server.answers = [Answer(429, {"message": "slow"}, {"Retry-After": header})]
    api.get("/it")
    assert clock.pauses == [pause] if pause else 0 < clock.pauses[0] <= _api.BACKOFF_SECONDS


def test_the_date_form_of_retry_after_counts_as_absent(server: Server, api: Api, clock: Clock) -> None:
    server.answers = [Answer(503, None, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})]
    api.get("/it")
    assert 0 < clock.pauses[0] <= _api.BACKOFF_SECONDS


@pytest.mark.parametrize("retries", [0, 3])
def test_repeating_has_an_end(server: Server, clock: Clock, retries: int) -> None:
    server.answers = [Answer(503, {"message": "down"}) for _attempt in range(9)]
    with pytest.raises(ApiError, match=r"GET /it: down; .* run again later \(503\)"):
        Api(Settings(server.url, TOKEN, retries=retries)).get("/it")
    assert len(server.requests) == retries + 1


def test_pauses_do_not_grow_without_end(server: Server, clock: Clock) -> None:
    server.answers = [Answer(503) for _attempt in range(15)]
    Api(Settings(server.url, TOKEN, retries=15)).get("/it")
    assert _api.BACKOFF_LIMIT_SECONDS / 2 <= clock.pauses[-1] <= _api.BACKOFF_LIMIT_SECONDS


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 460, 500])
@pytest.mark.parametrize("call", [lambda api: api.get("/it"), lambda api: api.post("/it", {})])
def test_a_plain_refusal_is_not_repeated(server: Server, api: Api, call: Call, status: int) -> None:
    server.answers = [Answer(status, {"class": "Client::No", "message": "no"})]
    with pytest.raises(ApiError, match=rf"/it: no(; .*)? \({status}, Client::No\)") as failure:
        call(api)
    assert not isinstance(failure.value, LostAnswer)
    assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", [DROP, Answer(504)])
def test_an_object_gone_after_a_repeated_deletion_was_deleted(server: Server, api: Api, trouble: Answer) -> None:
    server.answers = [trouble, Answer(404, {"message": "gone"})]
    api.delete("/it")
    assert [request.method for request in server.requests] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("before", [[], [Answer(429)]])
def test_an_object_that_was_not_there_to_delete_is_an_error(server: Server, api: Api, before: list[Answer]) -> None:
    server.answers = [*before, Answer(404, {"message": "gone"})]
    with pytest.raises(ApiError, match="404"):
        api.delete("/it")


# Many at once


def test_many_are_read_at_once_but_not_too_many_and_in_order(server: Server, api: Api) -> None:
    server.gate = threading.Barrier(Settings.concurrency)
    paths = [f"/{number}" for number in range(4 * Settings.concurrency)]
    assert [answer["path"] for answer in api.get_many(paths)] == [f"/1.0{path}" for path in paths]
    assert server.most_busy == Settings.concurrency


def test_a_failure_among_many_is_raised(server: Server, api: Api) -> None:
    server.answers = [Answer(body={}), Answer(403, {"message": "no"}), Answer(body={})]
    with pytest.raises(ApiError, match="403"):
        api.get_many(["/1", "/2", "/3"])


def test_none_is_read_without_a_call(server: Server, api: Api) -> None:
    assert api.get_many([]) == []
    assert server.requests == []


@pytest.mark.parametrize("credentials", [KEYS, CLIENT, TOKEN])
def test_connections_are_kept(server: Server, credentials: dict[str, str]) -> None:
    api = Api(Settings(server.url, credentials))
    for number in range(5):
        api.get(f"/{number}")
    before = server.connections
    assert before <= 2, "one for the token at most, and one for all calls"
    api.get_many([f"/{number}" for number in range(30)])
    assert server.connections - before <= Settings.concurrency


# Answers and errors


@pytest.mark.parametrize(("answer", "expected"), [(Answer(204, b""), None), (Answer(200, b""), None), (Answer(), None)])
def test_an_answer_may_be_empty(server: Server, api: Api, answer: Answer, expected: Any) -> None:
    server.answers = [answer]
    assert api.get("/it") is expected


def test_a_page_instead_of_json_is_an_error(server: Server, api: Api) -> None:
    server.answers = [Answer(200, HTML)]
    with pytest.raises(ApiError, match=r"GET /it: the answer is not JSON; .*\(200\)"):
        api.get("/it")


@pytest.mark.parametrize("body", [HTML, [], "text", None, {}])
def test_an_error_of_any_shape_is_told(server: Server, api: Api, body: Any) -> None:
    server.answers = [Answer(400, body)]
    with pytest.raises(ApiError, match=r"GET /it: .* \(400\)"):
        api.get("/it")


def test_an_error_of_the_older_kind_comes_with_code_query_id_and_remedy(server: Server, api: Api) -> None:
    body = {"errorCode": "INVALID_CREDENTIAL", "httpCode": "403 Forbidden", "message": "This credential is not valid"}
    server.answers = [Answer(403, body, {"X-Ovh-Queryid": "EU.ext-3.63ac"})]
    with pytest.raises(ApiError) as failure:
        api.get("/it")
    assert failure.value.message.startswith("GET /it: This credential is not valid; the consumer key")
    assert failure.value.message.endswith("(403, INVALID_CREDENTIAL); query id EU.ext-3.63ac")
    assert failure.value.details == {
        "call": "GET /it",
        "status": 403,
        "error": "INVALID_CREDENTIAL",
        "query_id": "EU.ext-3.63ac",
        "iam_actions": [],
    }


@pytest.mark.parametrize("code", sorted(refusals.REMEDIES))
def test_what_users_meet_first_has_a_remedy(server: Server, api: Api, code: str) -> None:
    server.answers = [Answer(403, {"errorCode": code, "message": "no"})]
    with pytest.raises(ApiError, match=refusals.REMEDIES[code].split(";")[0]):
        api.get("/it")


@pytest.mark.parametrize("key", ["unauthorizedActionsByIAM", "unauthorizedActionsByAuthentication"])
@pytest.mark.parametrize(
    "actions",
    [
        "loadbalancer:apiovh:tcp/farm/create, loadbalancer:apiovh:get",
        ["loadbalancer:apiovh:tcp/farm/create", "loadbalancer:apiovh:get"],
    ],
)
def test_missing_iam_actions_are_listed(server: Server, api: Api, key: str, actions: Any) -> None:
    body = {"class": "Client::Forbidden", "message": "User not granted for this request", "details": {key: actions}}
    server.answers = [Answer(403, body)]
    with pytest.raises(
        ApiError, match="missing IAM action: loadbalancer:apiovh:tcp/farm/create, loadbalancer:apiovh:get"
    ) as failure:
        api.get("/it")
    assert failure.value.iam_actions == ["loadbalancer:apiovh:tcp/farm/create", "loadbalancer:apiovh:get"]


@pytest.mark.parametrize("details", ["text", ["a list"], {"unauthorizedActionsByIAM": 5}])
def test_details_of_another_shape_are_no_actions(server: Server, api: Api, details: Any) -> None:
    server.answers = [Answer(403, {"message": "no", "details": details})]
    with pytest.raises(ApiError, match="these credentials may not do this"):
        api.get("/it")


@pytest.mark.parametrize(("status", "remedy"), sorted(refusals.STATUS_REMEDIES.items()))
@pytest.mark.parametrize("body", [HTML, {}, {"message": "no"}])
def test_a_refusal_that_says_no_more_than_its_status_has_a_remedy(
    server: Server, clock: Clock, status: int, remedy: str, body: Any
) -> None:
    server.answers = [Answer(status, body)]
    with pytest.raises(ApiError) as failure:
        Api(Settings(server.url, TOKEN, retries=0)).get("/it")
    assert remedy in failure.value.message


def test_no_answer_is_told_without_addresses(server: Server, api: Api) -> None:
    server.answers = [DROP for _attempt in range(9)]
    with pytest.raises(ApiError) as failure:
        api.get("/it")
    assert failure.value.message.startswith("GET /it: no answer (connection failed; check the endpoint")


def test_a_silent_server_is_not_waited_for_for_ever(server: Server, clock: Clock) -> None:
    server.gate = threading.Barrier(2)
    with pytest.raises(ApiError, match="timed out"):
        Api(Settings(server.url, TOKEN, timeout=0.05, retries=0)).get("/it")
    server.gate.abort()


@pytest.mark.parametrize("credentials", [KEYS, CLIENT, TOKEN])
def test_errors_do_not_show_secrets(server: Server, clock: Clock, credentials: dict[str, str]) -> None:
    server.answers = [Answer(403, {"errorCode": "INVALID_SIGNATURE", "message": "Invalid signature"})]
    with pytest.raises(ApiError) as failure:
        Api(Settings(server.url, credentials)).get("/it")
    shown = f"{failure.value!r} {failure.value} {failure.value.details}"
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_path_segment_can_not_leave_its_place() -> None:
    assert _api.segment("a/../b c?d") == "a%2F..%2Fb%20c%3Fd"
