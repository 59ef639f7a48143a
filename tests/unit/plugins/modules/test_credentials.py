# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing in: every form from every source, what is refused and how that is explained; secrets stay secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import runner as _runner

from simulator import credentials
from unit.plugins.modules.harness import CREDENTIALS, Service, Values

KEYS: dict[str, str] = {
    "application_key": credentials.APPLICATION_KEY,
    "application_secret": credentials.APPLICATION_SECRET,
    "consumer_key": credentials.CONSUMER_KEY,
}
FORMS: dict[str, dict[str, str]] = {
    "application keys": KEYS,
    "OAuth2 client": {"client_id": credentials.CLIENT_ID, "client_secret": credentials.CLIENT_SECRET},
    "access token": {"access_token": credentials.ACCESS_TOKEN},
}
SECRETS = (
    credentials.APPLICATION_KEY,
    credentials.APPLICATION_SECRET,
    credentials.CONSUMER_KEY,
    credentials.EXPIRED_CONSUMER_KEY,
    credentials.LIMITED_CONSUMER_KEY,
    credentials.CLIENT_SECRET,
    credentials.ACCESS_TOKEN,
)
FARM: Values = {"display_name": "smtp", "zone": "gra", "refresh": False}


@pytest.fixture
def anonymous(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    """No credentials among the options, in the environment or in the home directory."""
    for name in CREDENTIALS:
        del service.connection[name]
    for names in FORMS.values():
        for name in names:
            monkeypatch.delenv(f"OVH_{name.upper()}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return service


def put_into_environment(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"OVH_{name.upper()}", value)


def put_into_file(values: dict[str, str], path: Path, endpoint: str) -> None:
    lines = [f"[default]\nendpoint={endpoint}\n[{endpoint}]", *(f"{name}={value}" for name, value in values.items())]
    path.write_text("\n".join(lines))


def converges(service: Service, **options: Any) -> None:
    """A whole round of reads and writes goes through, and shows no secret."""
    for changed in (True, False):
        assert service.run("farm", **FARM, **options)["changed"] is changed
        assert not any(secret in service.output for secret in SECRETS)
    assert len(service.staged("tcp/farm")) == 1


@pytest.mark.parametrize("form", FORMS)
def test_credentials_come_from_the_options(anonymous: Service, form: str) -> None:
    converges(anonymous, **FORMS[form])


@pytest.mark.parametrize("form", FORMS)
def test_credentials_come_from_the_environment(anonymous: Service, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    put_into_environment(FORMS[form], monkeypatch)
    converges(anonymous)


@pytest.mark.parametrize("name", [".ovh.conf", "ovh.conf"])
@pytest.mark.parametrize("form", FORMS)
def test_credentials_come_from_a_file(anonymous: Service, tmp_path: Path, form: str, name: str) -> None:
    put_into_file(FORMS[form], tmp_path / name, anonymous.connection.pop("endpoint"))
    converges(anonymous)


def test_endpoint_and_service_come_from_the_environment(anonymous: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVH_ENDPOINT", anonymous.connection.pop("endpoint"))
    monkeypatch.setenv("OVH_IPLB_SERVICE", anonymous.connection.pop("service_name"))
    converges(anonymous, **KEYS)


@pytest.mark.parametrize("weaker", FORMS)
@pytest.mark.parametrize("stronger", FORMS)
def test_the_stronger_source_wins_whole(
    anonymous: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stronger: str, weaker: str
) -> None:
    """What is in the weaker sources is no good, and of another form as it may be."""
    wrong = dict.fromkeys(FORMS[weaker], "wrong")
    put_into_file(wrong, tmp_path / ".ovh.conf", anonymous.connection["endpoint"])
    put_into_environment(wrong, monkeypatch)
    converges(anonymous, **FORMS[stronger])


def test_a_file_completes_what_the_options_began(anonymous: Service, tmp_path: Path) -> None:
    put_into_file(KEYS, tmp_path / ".ovh.conf", anonymous.connection["endpoint"])
    converges(anonymous, consumer_key=credentials.CONSUMER_KEY)


BAD: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("none", {}, ("credentials are missing", "application_key", "client_id", "access_token", "OVH_*", "ovh.conf")),
    ("half", {"client_id": "a"}, ("credentials are incomplete", "client_secret")),
    ("two", {**KEYS, **FORMS["access token"]}, ("more than one kind", "access_token", "keep one")),
    ("application key", {**KEYS, "application_key": "wrong"}, ("the application key does not exist",)),
    ("secret", {**KEYS, "application_secret": "wrong"}, ("Invalid signature", "check application_secret")),
    ("consumer key", {**KEYS, "consumer_key": "wrong"}, ("the consumer key does not exist",)),
    (
        "expired",
        {**KEYS, "consumer_key": credentials.EXPIRED_CONSUMER_KEY},
        ("the consumer key or access token is expired", "create a new one"),
    ),
    (
        "read only",
        {**KEYS, "consumer_key": credentials.READ_ONLY_CONSUMER_KEY},
        ("does not cover this call", "/ipLoadbalancing/*"),
    ),
    (
        "IAM",
        {**KEYS, "consumer_key": credentials.LIMITED_CONSUMER_KEY},
        ("POST /ipLoadbalancing/", "missing IAM action: loadbalancer:apiovh:tcp/farm/create", "query id EU.ext-1"),
    ),
    ("OAuth2", {**FORMS["OAuth2 client"], "client_secret": "wrong"}, ("check client_id and client_secret",)),
    ("token", {"access_token": "wrong"}, ("the consumer key or access token is expired", "query id")),
]


@pytest.mark.parametrize(("given", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("shape", ["both", "class", "errorCode"])
def test_bad_credentials_are_explained(
    anonymous: Service, given: dict[str, str], words: tuple[str, ...], shape: str
) -> None:
    anonymous.simulator.switch(auth_error_shape=shape)
    message = anonymous.fail("farm", **FARM, **given)
    assert not [word for word in words if word not in message], message
    assert anonymous.everything() == {}
    assert not any(secret in anonymous.output for secret in SECRETS)


@pytest.mark.parametrize("form", FORMS)
def test_an_api_that_repeats_a_secret_does_not_get_it_shown(
    anonymous: Service, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    put_into_environment(FORMS[form], monkeypatch)
    secrets = [value for name, value in FORMS[form].items() if name != "client_id"]
    anonymous.fault(path="/ipLoadbalancing/.*", status=400, body={"message": f"no good: {' '.join(secrets)}"})
    assert "no good" in anonymous.fail("farm", **FARM)
    assert not any(secret in anonymous.output for secret in secrets)


def test_an_api_that_is_not_there_is_named_without_a_secret(anonymous: Service) -> None:
    options = {"endpoint": "http://127.0.0.1:9/1.0", "retries": 0}
    for form in FORMS.values():
        assert "no answer (connection failed;" in anonymous.fail("load_balancer_info", **options, **form)
        assert not any(secret in anonymous.output for secret in SECRETS)


def test_a_clock_that_is_off_is_made_up_for(service: Service) -> None:
    """Signatures carry the API's own time, however far this machine is off."""
    service.simulator.admin("PUT", "clock", {"skew": 7200})
    converges(service)


def test_a_clock_that_jumps_is_explained(service: Service) -> None:
    service.fault(path="/auth/time", status=200, body=1000000000)
    message = service.fail("farm", **FARM)
    assert "Query out of time" in message
    assert "NTP" in message
    assert service.everything() == {}


def test_a_missing_library_is_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "OVH_IMPORT_ERROR", "Traceback: No module named 'ovh'")
    for module, options in (("farm", FARM), ("refresh", {}), ("load_balancer_info", {})):
        message = service.fail(module, **options)
        assert "the Python package ovh is missing" in message
    assert service.log() == []
