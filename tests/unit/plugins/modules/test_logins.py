# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords do not travel in clear behind the load balancer unless somebody says that they may."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.modules.harness import Service, Values

REFUSED = "passwords would travel in clear to tcp/gra/mail/192.0.2.11"
ACCEPTED = {"allow_cleartext_behind_tls": True}


def farm(**server: Any) -> Values:
    entry = {"address": "192.0.2.11", "status": "active", **server}
    return {"display_name": "mail", "zone": "gra", "servers": [entry]}


def frontend(port: str = "465", **options: Any) -> Values:
    return {"display_name": "logins", "zone": "gra", "port": port, "ssl": True, "default_farm": "mail", **options}


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("port", ["465", "587", "993", "995", "143", "110", "25,465", "400-500"])
def test_tls_that_ends_before_a_listener_of_logins_is_refused(service: Service, port: str, refresh: bool) -> None:
    task: Values = {"farms": [farm(port=10465)], "frontends": [frontend(port)], "refresh": refresh}
    assert f"{REFUSED}:10465 behind frontend tcp/gra/logins" in service.fail("load_balancer", **task)
    assert REFUSED in service.fail("load_balancer", check=True, **task)
    assert service.writes() == []
    assert service.run("load_balancer", **task, **ACCEPTED)["changed"]


@pytest.mark.parametrize(
    ("server", "front"),
    [
        ({"ssl": True}, {}),
        ({}, {"ssl": False}),
        ({}, {"port": "25"}),
        ({}, {"port": "443"}),
        ({}, {"disabled": True}),
    ],
)
def test_what_keeps_passwords_safe_or_takes_none_is_not_refused(
    service: Service, server: Values, front: Values
) -> None:
    task: Values = {"farms": [farm(port=10465, **server)], "frontends": [frontend(**front)]}
    assert service.run("load_balancer", **task)["changed"]


def test_each_way_to_the_same_state_is_refused(service: Service) -> None:
    """The frontend, its port, the farm that it leads to, and the server each come last once."""
    in_clear = "passwords would travel in clear to tcp/"
    service.run("farm", display_name="mail", zone="gra", port=10465, refresh=False)
    service.run("frontend", **frontend(ssl=False))
    service.run("server", farm="mail", address="192.0.2.11", status="active")
    message = service.fail("frontend", display_name="logins", ssl=True)
    assert in_clear in message
    assert "/192.0.2.11 behind frontend tcp/gra/logins" in message
    service.run("frontend", display_name="logins", port="25", ssl=True)
    assert in_clear in service.fail("frontend", display_name="logins", port="993")
    service.run("frontend", display_name="logins", default_farm=None, refresh=False)
    service.run("frontend", display_name="logins", port="993", refresh=False)
    assert REFUSED in service.fail("frontend", display_name="logins", default_farm="mail")
    service.run("server", farm="mail", address="192.0.2.11", ssl=True, refresh=False)
    service.run("frontend", display_name="logins", default_farm="mail")
    assert REFUSED in service.fail("server", farm="mail", address="192.0.2.11", ssl=False)
    message = service.fail("server", farm="mail", address="192.0.2.12", status="active")
    assert f"{in_clear}gra/mail/192.0.2.12" in message


def test_what_was_accepted_once_does_not_stand_in_the_way_of_a_drain(service: Service) -> None:
    """An emergency is no time for a new demand."""
    service.run("load_balancer", farms=[farm(port=10465)], frontends=[frontend()], **ACCEPTED)
    assert service.run("server", farm="mail", address="192.0.2.11", weight=0)["changed"]
    assert not service.run("frontend", display_name="logins", ssl=True)["changed"]
    assert service.run("frontend", display_name="logins", allowed_source=["192.0.2.0/24"])["changed"]
    assert service.run("server", farm="mail", address="192.0.2.11", state="absent")["changed"]
