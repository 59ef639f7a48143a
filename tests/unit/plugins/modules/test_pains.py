# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users of Terraform's provider for OVHcloud and of other neighbours reported, one test for each; the number is
that of its issue or pull request there. Where a matrix has the whole of it, ``ELSEWHERE`` says which test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unit.plugins.modules.harness import Service, Values

TESTS = Path(__file__).parents[1]
ELSEWHERE = {
    "131, PR 356, 365, 369, 652, 715: fields of the API were missing": (
        "test_completeness.py",
        "test_a_resource_has_the_fields_of_its_model",
    ),
    "PR 243: a choice was misspelt": ("test_completeness.py", "test_a_resource_has_the_fields_of_its_model"),
    "415, 587, 719, 735: no udp, or a wrong one": (
        "test_life_matrix.py",
        "test_every_field_of_the_table_has_a_life_here_or_elsewhere",
    ),
    "718, 733: a certificate could not change": (
        "test_resources.py",
        "test_a_renewal_repoints_makes_live_and_only_then_deletes",
    ),
    "660: no access token": ("test_credentials.py", "test_credentials_come_from_the_options"),
    "979, 980: the rate limit was hit": ("test_faults.py", "test_the_rate_limit_of_the_api_is_respected"),
    "ansible 16722, 25270, 66180: what was not owned was wiped": (
        "test_purge.py",
        "test_nothing_is_purged_by_default",
    ),
    "ansible 40305: options of servers were missing": ("test_option_matrix.py", "test_the_matrix_covers_every_option"),
    "ansible 65566, 64901: a module of bare calls was never unchanged": (
        "test_option_matrix.py",
        "test_an_option_is_set_kept_and_reset",
    ),
    "hetzner 158, 415: always changed": ("test_life_matrix.py", "test_a_field_lives_as_check_mode_foretells"),
    "F5 35, 122, 469 and ansible 37349: neither check mode nor differences": (
        "test_life_matrix.py",
        "test_a_field_lives_as_check_mode_foretells",
    ),
    "hetzner 221: no health, so no way to change servers one by one": (
        "test_refresh_matrix.py",
        "test_the_last_healthy_server_is_not_taken_out_on_request",
    ),
}
FARM: Values = {"display_name": "smtp", "zone": "gra", "port": 25}
FRONTEND: Values = {"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}
STAGE = {"refresh": False}


@pytest.fixture
def mail(service: Service) -> Service:
    servers = [{"address": f"192.0.2.{number}", "status": "active"} for number in (11, 12)]
    service.run("load_balancer", farms=[{**FARM, "servers": servers}], frontends=[FRONTEND])
    service.forget()
    return service


@pytest.mark.parametrize("pain", sorted(ELSEWHERE))
def test_what_is_tested_elsewhere_is_there(pain: str) -> None:
    name, test = ELSEWHERE[pain]
    assert any(f"def {test}(" in path.read_text() for path in TESTS.rglob(name))


def test_59_changes_were_not_live_and_neither_were_deletions(mail: Service) -> None:
    mail.run("server", farm="smtp", address="192.0.2.12", state="absent")
    assert [server["address"] for server in mail.live("gra", "tcp/server")] == ["192.0.2.11"]
    mail.forget()
    mail.run("server", farm="smtp", address="192.0.2.12", state="absent")
    assert mail.writes() == [], "a refresh though nothing is pending"


def test_59_a_change_whose_refresh_was_missed_goes_live_with_the_next_run(mail: Service) -> None:
    mail.run("server", farm="smtp", address="192.0.2.12", weight=7, **STAGE)
    mail.run("server", farm="smtp", address="192.0.2.12", weight=7)
    assert {server["weight"] for server in mail.live("gra", "tcp/server")} == {None, 7}


@pytest.mark.parametrize("outcome", ["error", "cancelled", "blocked"])
def test_59_a_refresh_that_failed_was_waited_for_until_the_time_ran_out(mail: Service, outcome: str) -> None:
    mail.simulator.switch(task_outcome=outcome)
    assert outcome in mail.fail("farm", display_name="smtp", balance="source", wait_timeout=600)


def test_the_refresh_of_terraform_published_other_zones_and_changes_of_others_unannounced(mail: Service) -> None:
    mail.api("POST", "tcp/farm", {"zone": "rbx", "displayName": "of somebody else"})
    mail.run("farm", display_name="smtp", balance="source")
    assert mail.live("rbx", "tcp/farm") == [], "a zone was refreshed that the task is not about"
    mail.api("POST", "tcp/farm", {"zone": "gra", "displayName": "of somebody else"})
    refused = mail.failure("farm", display_name="smtp", balance="first", foreign_changes="refuse")
    assert refused["foreign_changes"] == {"gra": 1}
    assert "waiting in zone gra (1)" in refused["msg"]


def test_a_plan_of_terraform_could_not_show_what_waits(mail: Service) -> None:
    mail.run("farm", display_name="smtp", balance="source", **STAGE)
    planned = mail.run("farm", display_name="smtp", balance="source", check=True)
    assert (planned["changed"], planned["refreshed_zones"], planned["foreign_changes"]) == (True, ["gra"], {"gra": 1})
    assert mail.run("load_balancer_info", gather=["pending_changes"])["pending_changes"] == {"gra": 1}


def test_a_default_farm_and_certificate_could_not_be_unset(mail: Service) -> None:
    mail.run("frontend", display_name="smtp", default_ssl_id=401, **STAGE)
    mail.run("frontend", display_name="smtp", default_farm=None, default_ssl=None, **STAGE)
    stored = mail.only("tcp/frontend")
    assert (stored["defaultFarmId"], stored["defaultSslId"]) == (None, None)


def test_a_new_address_took_a_server_away_unasked(mail: Service) -> None:
    server_id = mail.staged("tcp/server")[0]["serverId"]
    message = mail.fail("server", farm="smtp", server_id=server_id, address="192.0.2.99")
    assert "address can not change" in message
    assert mail.writes() == []


def test_437_an_additional_ip_had_to_be_moved_elsewhere_first(mail: Service) -> None:
    """Moving one to the service is a call of another product; what is not there yet is named."""
    assert "192.0.2.77/32 is not routed to this service" in mail.fail(
        "frontend", display_name="smtp", dedicated_ipfo=["192.0.2.77"]
    )
    mail.run("frontend", display_name="smtp", dedicated_ipfo=["127.0.0.3"])
    assert mail.live("gra", "tcp/frontend")[0]["dedicatedIpfo"] == ["127.0.0.3/32"]


def test_the_manager_1355_an_error_was_shown_after_a_good_refresh(mail: Service) -> None:
    mail.simulator.switch(finished_task_vanishes="on")
    assert mail.run("farm", display_name="smtp", balance="source")["refreshed_zones"] == ["gra"]
    assert mail.live("gra", "tcp/farm")[0]["balance"] == "source"


def test_297_an_id_of_0_was_sent_and_answered_by_500(mail: Service) -> None:
    assert "0 is not an id" in mail.fail("frontend", **{**FRONTEND, "default_farm": None}, default_ssl_id=0)
    made = mail.run("frontend", display_name="other", zone="gra", port="26", **STAGE)
    stored = {item["frontendId"]: item for item in mail.staged("tcp/frontend")}[made["frontends"][0]["frontend_id"]]
    assert (stored["defaultFarmId"], stored["defaultSslId"]) == (None, None)


@pytest.mark.parametrize(("option", "value", "name"), [("stickiness", "sourceIp", "stickiness"), ("port", 26, "port")])
def test_584_949_stickiness_and_port_could_not_be_removed(mail: Service, option: str, value: Any, name: str) -> None:
    mail.run("farm", display_name="smtp", **{option: value}, **STAGE)
    mail.run("farm", display_name="smtp", **{option: None}, **STAGE)
    assert mail.only("tcp/farm")[name] is None


@pytest.mark.parametrize("cleared", [[], None])
def test_155_and_the_manager_1131_allowed_sources_could_not_be_cleared(mail: Service, cleared: Any) -> None:
    mail.run("frontend", display_name="smtp", allowed_source=["192.0.2.0/24"])
    mail.run("frontend", display_name="smtp", allowed_source=cleared)
    assert mail.live("gra", "tcp/frontend")[0]["allowedSource"] == []


def test_1232_a_weight_of_0_never_stuck(mail: Service) -> None:
    mail.run("server", farm="smtp", address="192.0.2.12", weight=0)
    assert {server["weight"] for server in mail.live("gra", "tcp/server")} == {0, None}
    assert not mail.run("server", farm="smtp", address="192.0.2.12", weight=0)["changed"]


def test_1363_the_weight_of_a_route_was_lost(mail: Service) -> None:
    rules = [{"field": "source", "match": "in", "pattern": "192.0.2.0/24"}]
    route = {"display_name": "allow", "frontend": "smtp", "action": {"type": "reject"}, "rules": rules}
    for weight in (5, 0):
        mail.run("route", **route, weight=weight, **STAGE)
        assert mail.only("tcp/route")["weight"] == weight


def test_439_458_590_lists_in_another_order_were_an_eternal_difference(mail: Service) -> None:
    mail.simulator.switch(lists_shuffled="on")
    sources = [f"192.0.2.{number}/32" for number in range(20)]
    mail.run("frontend", display_name="smtp", allowed_source=sources)
    for _run in range(3):
        assert not mail.run("frontend", display_name="smtp", allowed_source=sources[::-1])["changed"]


def test_75e32d67_a_probe_with_negate_and_without_match_was_refused(mail: Service) -> None:
    mail.run("farm", display_name="smtp", probe={"type": "smtp", "interval": 30}, **STAGE)
    assert mail.only("tcp/farm")["probe"]["type"] == "smtp"


def test_129_the_farms_of_a_network_fought_with_the_network_of_a_farm(service: Service) -> None:
    service.simulator.reset(vrack="active")
    network = {"display_name": "mail", "subnet": "10.9.0.0/16", "nat_ip": "10.9.1.0/24"}
    service.run("load_balancer", vrack_networks=[network], farms=[{**FARM, "vrack_network": "mail"}], **STAGE)
    assert not service.run("vrack_network", **network, **STAGE)["changed"]
    assert not service.run("farm", **FARM, vrack_network="mail", **STAGE)["changed"]


def test_429_432_an_object_that_was_made_by_hand_could_not_be_taken_over(mail: Service) -> None:
    stored = mail.only("tcp/farm")
    assert not mail.run("farm", **FARM)["changed"]
    assert not mail.run("farm", farm_id=stored["farmId"], port=25)["changed"]
    told = mail.run("load_balancer_info", gather=["farms"])["farms"][0]
    assert (told["farm_id"], told["display_name"]) == (stored["farmId"], "smtp")


def test_825_a_refusal_did_not_say_which_permission_lacks(mail: Service) -> None:
    body = {
        "message": "Not allowed",
        "details": {"unauthorizedActionsByIAM": "loadbalancer:apiovh:tcp/farm/edit"},
    }
    mail.fault(method="PUT", status=403, body=body)
    message = mail.fail("farm", display_name="smtp", balance="source")
    assert "missing IAM action: loadbalancer:apiovh:tcp/farm/edit" in message
    assert "query id" in message


def test_1194_the_addresses_that_servers_see_could_not_be_read(mail: Service) -> None:
    told = mail.run("load_balancer_info", gather=["nat_ip"])["nat_ip"]
    assert {item["zone"] for item in told} == {"gra", "rbx"}


def test_985_986_nothing_is_ordered_or_terminated(mail: Service) -> None:
    mail.run("service", display_name="mail", quota_alerts={"gra": 5})
    mail.run("service", display_name=None)
    assert {write.partition(" ")[0] for write in mail.writes()} == {"PUT"}


def test_python_ovh_103_a_wrong_type_was_a_bad_signature(mail: Service) -> None:
    assert "port" in mail.fail("farm", display_name="smtp", port="many")
    assert mail.writes() == []
