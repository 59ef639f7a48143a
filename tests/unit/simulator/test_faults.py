# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults: what a client meets, and what the API did."""

from __future__ import annotations

import time
from typing import Any

import ovh.exceptions
import pytest
import requests

from simulator import credentials
from tools.waiting import eventually

from .conftest import Service, client_of

broken = pytest.raises((ovh.exceptions.HTTPError, ovh.exceptions.InvalidResponse))


def fault(service: Service, **body: Any) -> None:
    service.simulator.admin("POST", "faults", body)


def test_fault_answers_instead_of_the_api(service: Service) -> None:
    fault(
        service, method="POST", path=".*/tcp/farm", status=429, body={"message": "slow"}, headers={"Retry-After": "7"}
    )
    with pytest.raises(ovh.exceptions.APIError) as caught:
        service.farm()
    assert caught.value.response.headers["Retry-After"] == "7"
    assert service.get("tcp/farm") == []
    assert service.farm()


def test_fault_with_html(service: Service) -> None:
    fault(service, status=502, body="<html>Bad gateway</html>")
    with pytest.raises(ovh.exceptions.InvalidResponse):
        service.get("tcp/farm")


@pytest.mark.parametrize(("drop", "farms"), [("before", 0), ("after", 1)])
def test_lost_answers(service: Service, drop: str, farms: int) -> None:
    """Either way the client learns nothing; what differs is whether the API did it."""
    fault(service, method="POST", path=".*/tcp/farm", drop=drop)
    with pytest.raises(ovh.exceptions.HTTPError):
        service.farm()
    assert len(service.get("tcp/farm")) == farms


def test_faults_can_be_taken_back(service: Service) -> None:
    fault(service, status=500, count=None)
    service.simulator.admin("DELETE", "faults")
    assert service.get("tcp/farm") == []


def farms(service: Service) -> int:
    return len(service.simulator.admin("GET", "staged").get("tcp/farm", []))


def test_the_nth_call_from_now(service: Service) -> None:
    service.get("zone")
    fault(service, nth=3, status=503, body={"message": "Unavailable"})
    outcomes = []
    for dummy in range(4):
        try:
            outcomes.append(bool(service.get("zone")))
        except ovh.exceptions.APIError:
            outcomes.append(False)
    assert outcomes == [True, True, False, True]


def test_the_nth_call_of_its_kind_and_the_ones_after_it(service: Service) -> None:
    fault(service, method="POST", path=".*/tcp/farm", nth=2, count=2, status=500, body={"message": "Internal"})
    service.farm()
    for dummy in range(2):
        service.get("tcp/farm")
        with pytest.raises(ovh.exceptions.APIError):
            service.farm()
    service.farm()
    assert farms(service) == 2


def test_every_fault_counts_every_call(service: Service) -> None:
    service.get("zone")
    fault(service, nth=1, status=503, body={"message": "Unavailable"})
    fault(service, nth=3, status=500, body={"message": "Internal"})
    told = []
    for dummy in range(4):
        try:
            told.append(bool(service.get("zone")))
        except ovh.exceptions.APIError as error:
            told.append(error.response.status_code)
    assert told == [503, True, 500, True]


@pytest.mark.parametrize(
    "body",
    [
        {"status": 429, "body": {"message": "Too many requests"}},
        {"status": 500, "body": {"message": "Internal server error"}},
        {"status": 502, "body": "<html>Bad gateway</html>"},
        {"status": 504, "body": "<html>Gateway timeout</html>"},
        {"drop": "after"},
        {"cut": True},
        {"garbage": True},
    ],
)
def test_a_write_may_be_carried_out_although_its_answer_is_an_error(service: Service, body: dict[str, Any]) -> None:
    fault(service, method="POST", path=".*/tcp/farm", carried_out=True, **body)
    with pytest.raises(ovh.exceptions.APIError):
        service.farm()
    assert farms(service) == 1
    assert service.farm()


@pytest.mark.parametrize("carried_out", [False, True])
def test_an_answer_that_never_comes(service: Service, carried_out: bool) -> None:
    fault(service, method="POST", path=".*/tcp/farm", hang=True, carried_out=carried_out)
    service.client._timeout = (5, 0.2)
    with broken:
        service.farm()
    assert farms(service) == carried_out
    assert service.farm()


def test_a_cut_answer_ends_in_the_middle(service: Service) -> None:
    service.get("zone")
    fault(service, cut=True)
    with pytest.raises(ovh.exceptions.HTTPError, match="IncompleteRead"):
        service.get("natIp")
    assert service.get("natIp")


def test_garbage_has_a_good_status(service: Service) -> None:
    service.get("zone")
    fault(service, garbage=True)
    answer = requests.get(
        f"{service.simulator.endpoint}{service.path}/natIp",
        headers={"Authorization": f"Bearer {credentials.ACCESS_TOKEN}"},
        timeout=10,
    )
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_connections_are_refused_for_a_while(service: Service) -> None:
    service.get("zone")
    fault(service, refuse=0.5)
    began = time.monotonic()
    with broken:
        service.get("zone")
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        requests.get(service.simulator.endpoint, timeout=10)
    eventually(lambda: reachable(service))
    assert time.monotonic() - began > 0.4
    assert service.get("zone")


def reachable(service: Service) -> bool:
    try:
        return requests.get(f"{service.simulator.endpoint}/auth/time", timeout=10).status_code == 200
    except requests.exceptions.ConnectionError:
        return False


def test_tokens_expire_in_the_middle(service: Service) -> None:
    token = {"Authorization": f"Bearer {credentials.ACCESS_TOKEN}"}
    url = f"{service.simulator.endpoint}{service.path}/zone"
    fault(service, nth=2, expire="tokens")
    assert [requests.get(url, headers=token, timeout=10).status_code for dummy in range(3)] == [200, 403, 403]
    assert service.get("zone"), "keys are another thing"
    service.simulator.reset()
    assert requests.get(url, headers=token, timeout=10).status_code == 200


def test_token_seconds(service: Service) -> None:
    service.simulator.switch(token_seconds=0)
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials.CLIENT_ID,
        "client_secret": credentials.CLIENT_SECRET,
    }
    given = requests.post(f"{service.simulator.base}/auth/oauth2/token", data=form, timeout=10).json()
    assert given["expires_in"] == 0
    url = f"{service.simulator.endpoint}{service.path}/zone"
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    assert requests.get(url, headers=headers, timeout=10).status_code == 403


def test_keys_expire_in_the_middle(service: Service) -> None:
    service.get("zone")
    fault(service, nth=2, expire="keys")
    service.get("zone")
    with pytest.raises(ovh.exceptions.InvalidCredential):
        service.get("zone")
    service.simulator.reset()
    assert service.get("zone")


def test_the_clocks_drift_apart_in_the_middle(service: Service) -> None:
    service.get("zone")
    fault(service, skew=7200)
    with pytest.raises(ovh.exceptions.APIError, match="out of time"):
        service.get("zone")
    assert client_of(service.simulator).get(f"{service.path}/zone")


def test_the_api_changes_its_habits_in_the_middle(service: Service) -> None:
    service.frontend(defaultFarmId=service.farm())
    fault(service, method="POST", path=".*/refresh", nth=2, switches={"task_outcome": "error"})
    assert service.refresh()["status"] == "done"
    assert service.refresh()["status"] == "error"


def test_somebody_changes_an_object_between_two_calls(service: Service) -> None:
    farm = service.farm(displayName="mail", port=25)
    before = service.pending()["gra"]
    fault(service, method="PUT", path=".*/tcp/farm/.*", meanwhile={"set": {"port": 26}})
    service.put(f"tcp/farm/{farm}", displayName="smtp")
    assert (service.get(f"tcp/farm/{farm}")["port"], service.get(f"tcp/farm/{farm}")["displayName"]) == (26, "smtp")
    assert service.pending()["gra"] == before + 2


def test_somebody_deletes_an_object_between_two_calls(service: Service) -> None:
    farm = service.farm()
    fault(service, method="PUT", meanwhile={"delete": True})
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.put(f"tcp/farm/{farm}", displayName="smtp")
    assert farms(service) == 0


def test_somebody_refreshes_first(service: Service) -> None:
    service.simulator.switch(refresh_seconds=1000)
    service.frontend(defaultFarmId=service.farm())
    fault(service, method="POST", path=".*/refresh", meanwhile={"refresh": True})
    with pytest.raises(ovh.exceptions.ResourceConflictError):
        service.post("refresh")
    assert len(service.get("task")) == 1


def test_nobody_can_refresh_what_can_not_be_deployed(service: Service) -> None:
    fault(service, meanwhile={"refresh": True})
    assert service.get("task") == []
