# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may say, before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import (
    UNSET,
    desired_load_balancer,
    desired_servers,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
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
        desired_servers({"protocol": "tcp"}, {"address": "192.0.2.11"})


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
    assert desired.farms[0].values == {"display_name": "smtp", "port": None, "balance": "first"}
    assert desired.farms[0].servers is None
    assert [frontend.default_farm for frontend in desired.frontends] == [UNSET, None, "smtp"]


def test_null_for_how_a_task_works_is_the_default() -> None:
    desired = desired_load_balancer(
        {"farms": [{**SMTP, "state": None, "protocol": None}], "purge_farms": None, "purge_protocols": None}
    )
    assert desired.farms[0].present
    assert desired.farms[0].protocol == "tcp"
    assert desired.purge_farms is False
    assert desired.purge_protocols == {"tcp"}


@pytest.mark.parametrize(
    ("written", "scope"),
    [
        ({}, Scope()),
        ({"farms": [SMTP]}, Scope(farms=frozenset({"tcp"}))),
        (
            {"farms": [{**SMTP, "protocol": "http", "servers": []}]},
            Scope(farms=frozenset({"http"}), farm_names=frozenset({"smtp"})),
        ),
        ({"farms": [{"farm_id": 7, "servers": []}]}, Scope(farms=frozenset({"tcp"}), farm_ids=frozenset({7}))),
        ({"frontends": [SMTP]}, Scope(farms=frozenset({"tcp"}), frontends=frozenset({"tcp"}))),
        (
            {"farms": [{**SMTP, "state": "absent"}]},
            Scope(farms=frozenset({"tcp"}), frontends=frozenset({"tcp"}), farm_names=frozenset({"smtp"})),
        ),
        (
            {"farms": [SMTP], "purge_farms": True, "purge_protocols": ["http"]},
            Scope(farms=frozenset({"tcp", "http"}), frontends=frozenset({"tcp", "http"}), every_server=True),
        ),
    ],
)
def test_a_task_reads_what_it_speaks_of(written: Values, scope: Scope) -> None:
    """Calls are scarce, but what may be deleted must be known with all that hangs on it."""
    read = desired_load_balancer(written).scope()
    assert read.farms == scope.farms
    assert read.frontends >= scope.frontends
    assert (read.farm_names, read.farm_ids, read.every_server) == (
        scope.farm_names,
        scope.farm_ids,
        scope.every_server,
    )
