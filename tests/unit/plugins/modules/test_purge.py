# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting: only what the task says, in an order the API takes, list by list and protocol by protocol."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.modules.harness import Service, Values

SERVERS = [{"address": f"192.0.2.{number}", "status": "active"} for number in (11, 12)]
PURGES = ("purge_farms", "purge_servers", "purge_frontends")


def pair(name: str, protocol: str = "tcp", port: str = "25") -> Values:
    """A farm with two servers and its frontend."""
    where = {"display_name": name, "zone": "gra", "protocol": protocol}
    return {
        "farms": [{**where, "port": 25, "servers": SERVERS}],
        "frontends": [{**where, "port": port, "default_farm": name}],
    }


@pytest.fixture
def deployed(service: Service) -> Service:
    """Two pairs of tcp, one of http, one of udp."""
    pairs = [pair("mail"), pair("old", port="26"), pair("web", "http", "80"), pair("dns", "udp", "53")]
    service.run("load_balancer", **{kind: [one for each in pairs for one in each[kind]] for kind in pairs[0]})
    service.forget()
    return service


def names(service: Service, kind: str) -> set[str]:
    return {item["displayName"] for protocol in ("tcp", "http", "udp") for item in service.staged(f"{protocol}/{kind}")}


def purge(service: Service, *options: str, **more: Any) -> Values:
    """The task that keeps the pair called mail."""
    return service.run("load_balancer", **{**pair("mail"), **dict.fromkeys(options, True), **more})


def test_nothing_is_purged_by_default(deployed: Service) -> None:
    keep: Values = {**pair("mail"), "farms": [{**pair("mail")["farms"][0], "servers": SERVERS[:1]}]}
    assert not deployed.run("load_balancer", **keep)["changed"]
    assert deployed.writes() == []


def test_frontends_go_before_their_farms_and_servers_before_theirs(deployed: Service) -> None:
    planned = purge(deployed, "purge_farms", "purge_frontends", check=True)
    assert deployed.writes() == []
    done = purge(deployed, "purge_farms", "purge_frontends")
    assert done["plan"] == planned["plan"]
    kinds = [(operation["action"], operation["kind"]) for operation in done["plan"]]
    assert kinds == [("delete", kind) for kind in ("frontend", "server", "server", "farm")]
    assert names(deployed, "farm") == names(deployed, "frontend") == {"mail", "web", "dns"}
    assert not purge(deployed, *PURGES)["changed"]
    assert {item["displayName"] for item in deployed.live("gra", "tcp/farm")} == {"mail"}


@pytest.mark.parametrize(
    ("protocols", "kept"),
    [
        (["tcp"], {"mail", "web", "dns"}),
        (["http"], {"mail", "old", "dns"}),
        (["udp"], {"mail", "old", "web"}),
        (["tcp", "http", "udp"], {"mail"}),
    ],
    ids=lambda value: ",".join(sorted(value)),
)
def test_a_purge_reaches_its_protocols_only(deployed: Service, protocols: list[str], kept: set[str]) -> None:
    assert purge(deployed, "purge_farms", "purge_frontends", purge_protocols=protocols)["changed"]
    assert names(deployed, "farm") == names(deployed, "frontend") == kept
    assert not purge(deployed, "purge_farms", "purge_frontends", purge_protocols=protocols)["changed"]


def test_each_list_is_purged_by_its_own_option(deployed: Service) -> None:
    purge(deployed, "purge_frontends")
    assert names(deployed, "frontend") == {"mail", "web", "dns"}
    assert "old" in names(deployed, "farm")
    purge(deployed, "purge_farms")
    assert "old" not in names(deployed, "farm")
    assert len(deployed.staged("tcp/server")) == 2


def test_servers_are_purged_in_the_farms_that_list_them(deployed: Service) -> None:
    farms = [{"display_name": "mail", "servers": SERVERS[:1]}, {"display_name": "old", "balance": "source"}]
    done = deployed.run("load_balancer", farms=farms, purge_servers=True)
    assert [(operation["action"], operation["key"]) for operation in done["plan"]] == [
        ("update", "tcp/gra/old"),
        ("delete", "tcp/gra/mail/192.0.2.12:25"),
    ]
    assert len(deployed.staged("tcp/server")) == 3
    assert not deployed.run("load_balancer", farms=farms, purge_servers=True)["changed"]


def test_a_pair_is_replaced_in_one_task(deployed: Service) -> None:
    task: Values = {**pair("new"), "purge_farms": True, "purge_frontends": True, "purge_servers": True}
    actions = [operation["action"] for operation in deployed.run("load_balancer", **task)["plan"]]
    assert actions == sorted(actions), "create before delete"
    assert names(deployed, "farm") == {"new", "web", "dns"}
    assert not deployed.run("load_balancer", **task)["changed"]


def test_what_is_absent_is_deleted_with_what_is_in_it(deployed: Service) -> None:
    gone: Values = {
        "farms": [{"display_name": "old", "zone": "gra", "state": "absent"}],
        "frontends": [{"display_name": "old", "zone": "gra", "state": "absent"}],
    }
    assert len(deployed.run("load_balancer", **gone)["plan"]) == 4
    assert not deployed.run("load_balancer", **gone)["changed"]
    one: Values = {"farms": [{"display_name": "mail", "servers": [{"address": "192.0.2.12", "state": "absent"}]}]}
    assert deployed.run("load_balancer", **one)["changed"]
    assert not deployed.run("load_balancer", **one)["changed"]


def test_a_default_farm_can_be_replaced_and_deleted_in_one_task(deployed: Service) -> None:
    task: Values = {
        "farms": [{"display_name": "old", "state": "absent"}],
        "frontends": [{"display_name": "old", "default_farm": "mail"}],
    }
    assert deployed.run("load_balancer", **task)["changed"]
    assert not deployed.run("load_balancer", **task)["changed"]
    assert names(deployed, "farm") == {"mail", "web", "dns"}
