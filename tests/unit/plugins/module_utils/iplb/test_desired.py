# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may say, before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import (
    desired_load_balancer,
    desired_server,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import FRONTEND, referrers
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Scope

Values = dict[str, Any]

SMTP: Values = {"display_name": "smtp"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"farms": None}, "farms can not be null; leave it out"),
        ({"frontends": None}, "frontends can not be null; leave it out"),
        ({"farms": [{**SMTP, "servers": None}]}, r'farms\[0\] "smtp": servers can not be null; leave it out'),
        ({"farms": [{"zone": "gra"}]}, r"farms\[0\]: display_name is missing; give it, or farm_id"),
        ({"farms": [{"display_name": ""}]}, "display_name is missing"),
        ({"farms": [SMTP, {"farm_id": None}]}, r"farms\[1\]: display_name is missing"),
        ({"frontends": [{"port": "25"}]}, r"frontends\[0\]: display_name is missing; give it, or frontend_id"),
        ({"farms": [{**SMTP, "servers": [{"status": "active"}]}]}, "server: address is missing; give the server's"),
        (
            {"frontends": [{**SMTP, "default_farm": "a", "default_farm_id": None}]},
            "default_farm and default_farm_id exclude each other; keep one",
        ),
        ({"farms": [{**SMTP, "protocol": "smtp"}]}, "protocol smtp is not one of tcp, http, udp"),
        ({"farms": [{**SMTP, "protocol": "udp", "balance": "first"}]}, '"smtp": balance does not exist for udp'),
        ({"purge_farms": True}, "purge_farms needs farms: list what is to stay; to delete an object.*state: absent"),
        ({"purge_farms": True, "farms": []}, "purge_farms needs farms"),
        ({"purge_frontends": True, "farms": [SMTP]}, "purge_frontends needs frontends"),
        ({"purge_servers": True, "farms": [SMTP]}, "purge_servers needs the servers of at least one farm"),
        (
            {"purge_servers": True, "farms": [{**SMTP, "servers": []}]},
            'purge_servers with an empty list would remove every server of farms.0. "smtp"; .*state: absent',
        ),
    ],
)
def test_what_can_not_be_meant_is_refused_with_its_remedy(written: Values, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        desired_load_balancer(written)


def test_a_server_needs_its_farm() -> None:
    with pytest.raises(InvalidInput, match="farm is missing: give the display name of the server's farm, or farm_id"):
        desired_server({"protocol": "tcp"}, {"address": "192.0.2.11"})


def test_absent_null_and_value_stay_apart() -> None:
    desired = desired_load_balancer(
        {
            "farms": [{**SMTP, "port": None, "balance": "first"}],
            "frontends": [
                {"display_name": "left alone"},
                {"display_name": "detached", "default_farm": None},
                {"display_name": "attached", "default_farm": "smtp"},
            ],
        }
    )
    assert desired.objects[0].values == {"display_name": "smtp", "port": None, "balance": "first"}
    assert desired.objects[0].children is None
    assert [item.names for item in desired.of(FRONTEND)] == [{}, {"default_farm": None}, {"default_farm": "smtp"}]


def test_null_for_how_a_task_works_is_the_default() -> None:
    desired = desired_load_balancer(
        {"farms": [{**SMTP, "state": None, "protocol": None}], "purge_farms": None, "purge_protocols": None}
    )
    assert desired.objects[0].present
    assert desired.objects[0].protocol == "tcp"
    assert desired.purge == frozenset()
    assert desired.purge_protocols == {"tcp"}


FARMS: Values = {"farm": {"tcp"}}
USERS: Values = {resource.kind: {"tcp"} for resource, _reference in referrers("farm")}


@pytest.mark.parametrize(
    ("written", "scope"),
    [
        ({}, Scope()),
        ({"farms": [SMTP]}, Scope(FARMS)),
        (
            {"farms": [{**SMTP, "protocol": "http", "servers": []}]},
            Scope({"farm": {"http"}}, frozenset({("farm", "smtp")})),
        ),
        (
            {"farms": [{"farm_id": 7, "servers": []}]},
            Scope(FARMS, frozenset({("farm", 7)}), ids={("farm", "tcp"): frozenset({7})}),
        ),
        ({"frontends": [SMTP]}, Scope({"frontend": {"tcp"}})),
        ({"frontends": [{**SMTP, "default_farm": "smtp"}]}, Scope({"frontend": {"tcp"}, "farm": {"tcp"}})),
        ({"frontends": [{**SMTP, "default_ssl_id": 7}]}, Scope({"frontend": {"tcp"}, "certificate": {""}})),
        ({"farms": [{**SMTP, "state": "absent"}]}, Scope({**FARMS, **USERS}, frozenset({("farm", "smtp")}))),
        (
            {"farms": [SMTP], "purge_farms": True, "purge_protocols": ["http"]},
            Scope({"farm": {"tcp", "http"}, **{kind: {"http"} for kind in USERS}}, every_parent=frozenset({"farm"})),
        ),
        (
            {"routes": [{**SMTP, "protocol": "http", "action": {"type": "farm", "farm": "smtp"}}]},
            Scope({"route": {"http"}, "farm": {"http"}}),
        ),
        (
            {"vrack_networks": [{**SMTP, "state": "absent"}]},
            Scope({"vrack_network": {""}, "farm": {"tcp", "http", "udp"}}),
        ),
    ],
)
def test_a_task_reads_what_it_speaks_of(written: Values, scope: Scope) -> None:
    """Calls are scarce, but what may be deleted must be known with all that hangs on it."""
    assert USERS.keys() >= {"frontend", "route"}
    assert desired_load_balancer(written).scope() == scope
