# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what."""

from __future__ import annotations

import time
from typing import Any

import ovh
import ovh.client
import ovh.exceptions
import pytest
import requests

from simulator import credentials
from simulator.launcher import Running

from .conftest import client_of


def raw(simulator: Running, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{simulator.endpoint}{path}", headers=headers, timeout=10)


def test_signed_call(simulator: Running) -> None:
    assert client_of(simulator).get("/ipLoadbalancing") == [simulator.service]
    assert client_of(simulator).get("/auth/currentCredential")["status"] == "validated"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"application_secret": "wrong"}, ovh.exceptions.BadParametersError),
        ({"application_key": "wrong"}, ovh.exceptions.InvalidKey),
        ({"consumer_key": "wrong"}, ovh.exceptions.NotCredential),
        ({"consumer_key": credentials.EXPIRED_CONSUMER_KEY}, ovh.exceptions.InvalidCredential),
    ],
)
def test_wrong_credentials(simulator: Running, changes: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        client_of(simulator, **changes).get("/ipLoadbalancing")


def test_wrong_signature_answers_both_shapes(simulator: Running) -> None:
    answer = raw(
        simulator,
        "/ipLoadbalancing",
        **{
            "X-Ovh-Application": credentials.APPLICATION_KEY,
            "X-Ovh-Consumer": credentials.CONSUMER_KEY,
            "X-Ovh-Timestamp": str(int(time.time())),
            "X-Ovh-Signature": "$1$" + "0" * 40,
        },
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-ovh-queryid"].startswith("EU.ext-")
    assert answer.json() == {
        "class": "Client::BadRequest",
        "errorCode": "INVALID_SIGNATURE",
        "httpCode": "400 Bad Request",
        "message": "Invalid signature",
    }


@pytest.mark.parametrize(
    ("shape", "fields"),
    [("class", {"class", "message"}), ("errorCode", {"errorCode", "httpCode", "message"})],
)
def test_switch_auth_error_shape(simulator: Running, shape: str, fields: set[str]) -> None:
    simulator.switch(auth_error_shape=shape)
    assert set(raw(simulator, "/ipLoadbalancing").json()) == fields


def test_signature_covers_query_and_path(simulator: Running) -> None:
    client = client_of(simulator)
    assert client.get(f"/ipLoadbalancing/{simulator.service}/tcp/farm", zone="g r/a+é") == []


def test_clock(simulator: Running) -> None:
    """A client that asked for the time follows a clock that is off, and fails when it jumps afterwards."""
    simulator.admin("PUT", "clock", {"skew": 5000})
    client = client_of(simulator)
    assert client.get("/ipLoadbalancing") == [simulator.service]
    simulator.admin("PUT", "clock", {"skew": 0})
    with pytest.raises(ovh.exceptions.BadParametersError, match="out of time"):
        client.get("/ipLoadbalancing")
    simulator.switch(timestamp_window=6000)
    assert client.get("/ipLoadbalancing") == [simulator.service]


def test_missing_iam_right(simulator: Running) -> None:
    client = client_of(simulator, consumer_key=credentials.LIMITED_CONSUMER_KEY)
    assert client.get(f"/ipLoadbalancing/{simulator.service}/tcp/farm") == []
    with pytest.raises(ovh.exceptions.APIError) as caught:
        client.post(f"/ipLoadbalancing/{simulator.service}/tcp/farm", zone="gra")
    assert caught.value.response.status_code == 403
    assert caught.value.response.json() == {
        "class": "Client::Forbidden",
        "message": "User not granted for this request",
        "details": {"unauthorizedActionsByIAM": "loadbalancer:apiovh:tcp/farm/create"},
    }


def test_access_rules(simulator: Running) -> None:
    client = client_of(simulator, consumer_key=credentials.READ_ONLY_CONSUMER_KEY)
    with pytest.raises(ovh.exceptions.NotGrantedCall):
        client.post(f"/ipLoadbalancing/{simulator.service}/refresh")


def oauth2_client(simulator: Running, monkeypatch: pytest.MonkeyPatch, secret: str) -> Any:
    """python-ovh allows OAuth2 for three endpoints only, so one of those is redirected."""
    monkeypatch.setitem(ovh.client.ENDPOINTS, "ovh-eu", simulator.endpoint)
    monkeypatch.setitem(ovh.client.OAUTH2_TOKEN_URLS, "ovh-eu", f"{simulator.base}/auth/oauth2/token")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    return ovh.Client(endpoint="ovh-eu", client_id=credentials.CLIENT_ID, client_secret=secret)


def test_oauth2(simulator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    client = oauth2_client(simulator, monkeypatch, credentials.CLIENT_SECRET)
    assert client.get("/ipLoadbalancing") == [simulator.service]


def test_oauth2_wrong_secret(simulator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    client = oauth2_client(simulator, monkeypatch, "wrong")
    with pytest.raises(ovh.exceptions.OAuth2FailureError):
        client.get("/ipLoadbalancing")


def test_access_token(simulator: Running) -> None:
    good = raw(simulator, "/ipLoadbalancing", Authorization=f"Bearer {credentials.ACCESS_TOKEN}")
    assert good.json() == [simulator.service]
    assert raw(simulator, "/ipLoadbalancing", Authorization="Bearer wrong").status_code == 403


def test_v1_is_another_name_of_1_0(simulator: Running) -> None:
    url = f"{simulator.base}/v1/ipLoadbalancing"
    headers = {"Authorization": f"Bearer {credentials.ACCESS_TOKEN}"}
    assert requests.get(url, headers=headers, timeout=10).json() == [simulator.service]
