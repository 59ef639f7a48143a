# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module on a host without Postfix, where it has nothing but its options to go by."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.modules import postfix_config

from unit.plugins.modules.arguments import module_arguments

GUIDE = {
    "parameters": {"smtp_upstream_proxy_protocol": "haproxy", "gone": None, "relayhost": ""},
    "services": {"smtp/inet": {"smtpd_upstream_proxy_protocol": "$smtp_upstream_proxy_protocol", "gone": None}},
}


@pytest.fixture(autouse=True)
def without_postfix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "is_installed", lambda: False)


def run(capsys: pytest.CaptureFixture[str], check: bool, **options: Any) -> dict[str, Any]:
    with module_arguments({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        postfix_config.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_check_mode_says_that_it_would_install_and_set(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, check=True, **GUIDE)
    assert result["changed"]
    assert "would install and set" in result["msg"]
    assert [(change["service"], change["parameter"], change["after"]) for change in result["plan"]] == [
        (None, "smtp_upstream_proxy_protocol", "haproxy"),
        (None, "relayhost", ""),
        ("smtp/inet", "smtpd_upstream_proxy_protocol", "$smtp_upstream_proxy_protocol"),
    ]


def test_check_mode_shows_what_a_listener_comes_down_to(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, check=True, proxy_listener={})
    assert "smtp/inet/mynetworks = \n" in result["diff"][0]["after"]


def test_check_mode_shows_what_several_listeners_come_down_to(capsys: pytest.CaptureFixture[str]) -> None:
    listeners = [{}, {"service": "submission/inet"}, {"service": "10025/inet", "state": "absent"}]
    result = run(capsys, check=True, proxy_listeners=listeners, apply="auto")
    for service in ("smtp/inet", "submission/inet"):
        assert f"{service}/smtpd_upstream_proxy_protocol = $smtp_upstream" in result["diff"][0]["after"]
    assert "10025" not in result["diff"][0]["after"]
    assert result["applied"] == "restart"


def test_otherwise_the_error_names_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, check=False, **GUIDE)
    assert result["failed"]
    assert "postfix_backend_install: true" in result["msg"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"parameters": {"a": {}}}, "parameters.a"),
        ({"services": {"smtp": {}}}, "services: 'smtp'"),
        ({"new_services": {"10025/inet": {"maxproc": 1}}}, "new_services.10025/inet"),
        ({"proxy_listener": {"trusted_clients": ["127.0.0.0/8"]}}, "proxy_listener.trusted_clients"),
        ({"proxy_listener": {"service": "smtp"}}, "proxy_listener.service"),
        ({"mode": "0666"}, "mode: '0666'"),
        ({"proxy_listener": {"server_address": "mx.example"}}, "proxy_listener.server_address"),
        ({"proxy_listener": {}, "proxy_listeners": []}, "mutually exclusive"),
        ({"proxy_listeners": [{}, {"service": "smtp/inet"}]}, "proxy_listeners[0].service: smtp/inet is there twice"),
        ({"proxy_listeners": [{}, {"service": "25"}]}, "proxy_listeners[1].service"),
        (
            {"proxy_listeners": [{"service": "10025/inet"}, {"trusted_clients": ["::/0"]}]},
            "proxy_listeners[1].trusted_clients",
        ),
    ],
)
def test_bad_options_are_an_error_even_so(
    capsys: pytest.CaptureFixture[str], options: dict[str, Any], names: str
) -> None:
    result = run(capsys, check=True, **options)
    assert result["failed"]
    assert names in result["msg"]
