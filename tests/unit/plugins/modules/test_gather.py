# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task that reads and plans: it tells both, and costs the calls of one."""

from __future__ import annotations

import pytest

from unit.plugins.modules.harness import Service, Values

FARM: Values = {"display_name": "smtp", "zone": "gra", "port": 25}
SERVERS = [{"address": f"192.0.2.{number}", "status": "active"} for number in (11, 12)]
TASK: Values = {
    "farms": [{**FARM, "servers": SERVERS}],
    "frontends": [{"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}],
}
CHANGED: Values = {"farms": [{**FARM, "balance": "source", "servers": SERVERS}]}
PARTS = ["pending_changes", "farms", "frontends"]
LISTS_READ_TWICE = 4  # whole, and as ids: those of farms, of the servers of each, and of frontends


@pytest.fixture
def deployed(service: Service) -> Service:
    service.run("load_balancer", **TASK)
    service.run("farm", display_name="other", zone="rbx", port=25)
    service.forget()
    return service


def test_what_is_there_is_told_as_it_is_by_itself(deployed: Service) -> None:
    told = deployed.run("load_balancer", **CHANGED, gather=PARTS, check=True)
    alone = deployed.run("load_balancer_info", gather=PARTS)
    assert {farm["display_name"] for farm in told["existing"]["farms"]} == {"smtp", "other"}
    for part in ("zones", *PARTS):
        assert told["existing"][part] == alone[part]
    assert told["existing"]["service"]["service_name"] == alone["service"]["service_name"]
    assert told["plan"] == deployed.run("load_balancer", **CHANGED, check=True)["plan"]


@pytest.mark.parametrize("bulk_reads", ["auto", "never"])
def test_nothing_is_asked_twice_where_nothing_is_written(deployed: Service, bulk_reads: str) -> None:
    deployed.run("load_balancer", **CHANGED, gather=PARTS, check=True, bulk_reads=bulk_reads)
    asked = [entry["path"] for entry in deployed.log() if "/ipLoadbalancing" in entry["path"]]
    repeated = len(asked) - len(set(asked))
    assert repeated <= (LISTS_READ_TWICE if bulk_reads == "auto" else 0), asked


def test_a_run_that_writes_looks_again(deployed: Service) -> None:
    told = deployed.run("load_balancer", **CHANGED, gather=["farms"])
    (before,) = [farm for farm in told["existing"]["farms"] if farm["display_name"] == "smtp"]
    assert before["balance"] != "source"
    assert deployed.staged("tcp/farm")[0]["balance"] == "source"
    assert not deployed.run("load_balancer", **CHANGED, gather=["farms"])["changed"]


def test_a_failure_does_not_drown_in_objects(deployed: Service) -> None:
    wrong = {"frontends": [{**TASK["frontends"][0], "default_farm": "missing"}]}
    failed = deployed.failure("load_balancer", **wrong, gather=PARTS, check=True)
    assert "missing" in failed["msg"]
    assert "existing" not in failed
