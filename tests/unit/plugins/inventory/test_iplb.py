# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin, as ansible-inventory shows it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.inventory.iplb import health_of

from simulator import credentials
from unit.plugins.inventory.conftest import Inventory

pytestmark = [pytest.mark.slow, pytest.mark.programs]

PROBE = {"type": "smtp", "interval": 30}


def groups_of(loaded: dict[str, Any], host: str) -> set[str]:
    return {name for name, group in loaded.items() if host in group.get("hosts", [])}


def test_servers_are_hosts_with_their_fields_and_those_of_their_farms(inventory: Inventory) -> None:
    farm = inventory.farm(displayName="smtp", probe=PROBE)
    server = inventory.server(farm, "192.0.2.11", probe=True, weight=0, proxyProtocolVersion="v1")
    variables = inventory.hosts()["192.0.2.11"]
    assert variables["ansible_host"] == "192.0.2.11"
    assert variables["iplb_service_name"] == inventory.simulator.service
    (found,) = variables["iplb_servers"]
    assert found["server_id"] == server
    assert (found["weight"], found["proxy_protocol_version"], found["status"]) == (0, "v1", "active")
    assert (found["farm"]["farm_id"], found["farm"]["zone"], found["farm"]["port"]) == (farm, "gra", 25)
    assert found["farm"]["probe"]["type"] == "smtp"
    assert "servers" not in found["farm"]


def test_groups_say_what_the_servers_of_a_host_are(inventory: Inventory) -> None:
    inventory.server(inventory.farm(displayName="smtp"), "192.0.2.11")
    inventory.server(inventory.farm(displayName="out", zone="all"), "192.0.2.12", status="inactive")
    loaded = inventory.load()
    assert groups_of(loaded, "192.0.2.11") == {
        "iplb",
        "iplb_farm_smtp",
        "iplb_protocol_tcp",
        "iplb_zone_gra",
        "iplb_status_active",
        "iplb_health_unknown",
    }
    assert {"iplb_farm_out", "iplb_zone_gra", "iplb_zone_rbx", "iplb_status_inactive"} <= groups_of(
        loaded, "192.0.2.12"
    )


def test_one_address_is_one_host_however_many_servers_it_has(inventory: Inventory) -> None:
    for zone in ("gra", "rbx"):
        inventory.server(inventory.farm(displayName=f"smtp-{zone}", zone=zone), "192.0.2.11", displayName="mx1")
    hosts = inventory.hosts()
    assert list(hosts) == ["mx1"]
    assert hosts["mx1"]["iplb_farms"] == ["smtp-gra", "smtp-rbx"]
    assert hosts["mx1"]["iplb_zones"] == ["gra", "rbx"]
    assert len(hosts["mx1"]["iplb_servers"]) == 2


def test_farms_without_servers_and_zones_without_farms_are_groups(inventory: Inventory) -> None:
    farm = inventory.farm()
    loaded = inventory.load()
    assert set(loaded["iplb"]["children"]) == {f"iplb_farm_{farm}", "iplb_zone_gra", "iplb_zone_rbx"}
    assert loaded["_meta"]["hostvars"] == {}


def test_every_protocol_is_read(inventory: Inventory) -> None:
    inventory.server(inventory.farm("http"), "192.0.2.11", "http")
    inventory.server(inventory.farm("udp"), "192.0.2.11", "udp")
    assert inventory.hosts()["192.0.2.11"]["iplb_protocols"] == ["http", "udp"]


def test_hosts_are_named_by_display_name_where_it_means_one_machine(inventory: Inventory) -> None:
    farm = inventory.farm()
    inventory.server(farm, "192.0.2.11", displayName="mx1.example.com")
    inventory.server(farm, "192.0.2.12", displayName="twin")
    inventory.server(farm, "192.0.2.13", displayName="twin")
    inventory.server(farm, "192.0.2.14")
    inventory.server(farm, "192.0.2.15", displayName="localhost")
    inventory.server(farm, "192.0.2.16", displayName="192.0.2.14")
    inventory.server(farm, "192.0.2.17", displayName="{{ lookup('pipe', 'id') }}")
    addresses = {f"192.0.2.{number}" for number in range(12, 18)}
    assert set(inventory.hosts()) == {"mx1.example.com", *addresses}
    assert set(inventory.hosts(hostnames=["address"])) == {"192.0.2.11", *addresses}


def test_health_is_that_of_the_load_balancer(inventory: Inventory) -> None:
    farm = inventory.farm(probe=PROBE)
    inventory.server(farm, "192.0.2.11", probe=True)
    inventory.server(farm, "192.0.2.12", probe=True)
    inventory.simulator.admin("PUT", "health", {"192.0.2.12": "DOWN"})
    inventory.deploy(farm)
    loaded = inventory.load()
    assert loaded["iplb_health_up"]["hosts"] == ["192.0.2.11"]
    assert loaded["iplb_health_down"]["hosts"] == ["192.0.2.12"]
    assert loaded["_meta"]["hostvars"]["192.0.2.12"]["iplb_servers"][0]["server_state"][0]["status"] == "DOWN"


@pytest.mark.parametrize(
    ("statuses", "health"),
    [
        ([], "unknown"),
        (["no check", "no check"], "unknown"),
        (["UP", "UP"], "up"),
        (["UP", "DRAIN", "no check"], "up"),
        (["UP", "DOWN"], "degraded"),
        (["DOWN", "MAINT"], "down"),
        ([None], "unknown"),
    ],
)
def test_health_of_several_checks(statuses: list[str | None], health: str) -> None:
    assert health_of([{"server_state": [{"status": status}]} for status in statuses]) == health


def test_a_server_counts_as_up_only_after_its_first_check() -> None:
    unchecked = {"status": "UP", "check_status": "INI"}
    assert health_of([{"server_state": [unchecked]}]) == "unknown"
    assert health_of([{"server_state": [unchecked, {"status": "DOWN", "check_status": "L4CON"}]}]) == "down"


@pytest.mark.parametrize(
    ("kind", "answer", "left"),
    [
        ("server", {"address": None}, ["192.0.2.12"]),
        ("server", {"serverState": [None, "UP"]}, ["192.0.2.11", "192.0.2.12"]),
        ("server", {"status": None}, ["192.0.2.11", "192.0.2.12"]),
        ("farm", {"zone": None}, ["192.0.2.11", "192.0.2.12"]),
    ],
    ids=str,
)
def test_an_answer_that_lacks_something_leaves_out_no_other_host(
    inventory: Inventory, kind: str, answer: dict[str, Any], left: list[str]
) -> None:
    for zone in ("gra", "rbx"):
        farm = inventory.farm(displayName=f"smtp-{zone}", zone=zone)
        server = inventory.server(farm, "192.0.2.11")
        inventory.server(farm, "192.0.2.12")
    this = f"tcp/farm/{farm}" + (f"/server/{server}" if kind == "server" else "")
    body = {**inventory.simulator.call("GET", this), **answer}
    fault = {"method": "GET", "path": f".*/{this}", "status": 200, "body": body, "count": None}
    inventory.simulator.admin("POST", "faults", fault)
    assert set(left) <= set(inventory.hosts(bulk_reads="never"))


def test_a_misspelt_option_is_named(inventory: Inventory) -> None:
    assert "servicename is not an option of mailops.ovh_iplb.iplb" in inventory.error(servicename="loadbalancer-0")


def test_groups_and_variables_of_ones_own(inventory: Inventory) -> None:
    farm = inventory.farm(displayName="smtp")
    inventory.server(farm, "192.0.2.11", proxyProtocolVersion="v2")
    inventory.server(farm, "192.0.2.12")
    loaded = inventory.load(
        strict=True,
        groups={"smtp_backends": "'smtp' in iplb_farms"},
        compose={"twice": "2 * iplb_servers[0].farm.port"},
        keyed_groups=[
            {"key": "iplb_servers | map(attribute='proxy_protocol_version') | map('default', 'none', true) | list"}
        ],
    )
    assert set(loaded["smtp_backends"]["hosts"]) == {"192.0.2.11", "192.0.2.12"}
    assert (loaded["_v2"]["hosts"], loaded["_none"]["hosts"]) == (["192.0.2.11"], ["192.0.2.12"])
    # Text before ansible-core 2.19, where templates gave no numbers.
    assert int(loaded["_meta"]["hostvars"]["192.0.2.11"]["twice"]) == 50


@pytest.mark.parametrize(
    "source",
    [
        {"compose": {"wrong": "nothing_there.at_all"}},
        {"groups": {"wrong": "nothing_there > 1"}},
        {"keyed_groups": [{"key": "nothing_there"}]},
    ],
)
def test_strict_turns_an_expression_that_fails_into_an_error(inventory: Inventory, source: dict[str, Any]) -> None:
    inventory.server(inventory.farm(), "192.0.2.11")
    assert "nothing_there" in inventory.error(strict=True, **source)
    assert list(inventory.hosts(**source)) == ["192.0.2.11"]


def test_a_display_name_is_never_a_template(inventory: Inventory) -> None:
    """Whoever may name a server could otherwise run code on the controller."""
    text = "{{ lookup('ansible.builtin.env', 'OVH_APPLICATION_SECRET') }}"
    inventory.server(inventory.farm(), "192.0.2.11", displayName=text)
    command = ["ansible", "192.0.2.11", "-m", "ansible.builtin.debug", "-a", "var=iplb_servers"]
    done = inventory.run(*command, hostnames=["address"])
    assert done.returncode == 0, done.stderr
    assert text in done.stdout
    assert credentials.APPLICATION_SECRET not in done.stdout


def cache_options(inventory: Inventory) -> dict[str, Any]:
    return {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(inventory.directory / "cache"),
    }


def test_a_cached_load_balancer_is_not_read_again(inventory: Inventory) -> None:
    inventory.server(inventory.farm(displayName="smtp"), "192.0.2.11")
    first = inventory.load(**cache_options(inventory))
    calls = inventory.calls()
    inventory.server(inventory.farm(displayName="new"), "192.0.2.12")
    assert inventory.load(**cache_options(inventory)) == first
    assert inventory.calls() == calls
    again = inventory.directory / "again.yml"
    again.write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [{"meta": "refresh_inventory"}]}])
    )
    assert inventory.run("ansible-playbook", str(again), **cache_options(inventory)).returncode == 0
    assert inventory.calls() > calls
    assert set(inventory.hosts(**cache_options(inventory))) == {"192.0.2.11", "192.0.2.12"}


def test_the_cache_holds_no_secret_and_keeps_load_balancers_apart(inventory: Inventory) -> None:
    inventory.server(inventory.farm(), "192.0.2.11")
    inventory.load(**cache_options(inventory))
    (cached,) = (inventory.directory / "cache").iterdir()
    for secret in (credentials.APPLICATION_KEY, credentials.APPLICATION_SECRET, credentials.CONSUMER_KEY):
        assert secret not in cached.read_text()
    inventory.environment["OVH_IPLB_SERVICE"] = "loadbalancer-another"
    assert "loadbalancer-another" in inventory.error(**cache_options(inventory))


def test_the_cache_never_answers_for_other_credentials_or_another_api(inventory: Inventory) -> None:
    inventory.server(inventory.farm(), "192.0.2.11")
    inventory.load(**cache_options(inventory))
    for name, other in (("OVH_CONSUMER_KEY", "of-somebody-else"), ("OVH_ENDPOINT", "http://127.0.0.1:9/1.0")):
        mine = inventory.environment[name]
        inventory.environment[name] = other
        assert "192.0.2.11" not in inventory.error(**cache_options(inventory), retries=0)
        inventory.environment[name] = mine


def test_the_number_of_calls_is_bounded_by_what_there_is(inventory: Inventory) -> None:
    farm = inventory.farm()
    for number in range(11, 14):
        inventory.server(farm, f"192.0.2.{number}")
    inventory.simulator.admin("DELETE", "requests")
    inventory.load()
    # The service, its protocols, the farms and the servers whole; of both a list and an object for proof.
    assert inventory.calls() == 8


def test_credentials_are_options_too_and_may_be_templates(inventory: Inventory) -> None:
    inventory.server(inventory.farm(), "192.0.2.11")
    for name in ("APPLICATION_KEY", "APPLICATION_SECRET", "CONSUMER_KEY", "ENDPOINT"):
        del inventory.environment[f"OVH_{name}"]
    inventory.environment["TOKEN"] = credentials.ACCESS_TOKEN
    source = {
        "endpoint": inventory.simulator.endpoint,
        "access_token": "{{ lookup('ansible.builtin.env', 'TOKEN') }}",
    }
    assert list(inventory.hosts(**source)) == ["192.0.2.11"]
    source = {
        "endpoint": inventory.simulator.endpoint,
        "client_id": credentials.CLIENT_ID,
        "client_secret": credentials.CLIENT_SECRET,
    }
    assert list(inventory.hosts(**source)) == ["192.0.2.11"]


def test_wrong_credentials_are_explained_without_showing_them(inventory: Inventory) -> None:
    inventory.environment["OVH_APPLICATION_SECRET"] = "notTheRightSecret"
    message = inventory.error()
    assert "check application_secret and consumer_key" in message
    assert "notTheRightSecret" not in message


def test_a_missing_service_name_is_explained(inventory: Inventory) -> None:
    del inventory.environment["OVH_IPLB_SERVICE"]
    assert "service_name is empty: set the option, or OVH_IPLB_SERVICE" in inventory.error()


def test_an_unknown_service_is_explained(inventory: Inventory) -> None:
    assert f"these credentials see {inventory.simulator.service}" in inventory.error(service_name="loadbalancer-other")


def test_another_file_name_is_left_to_other_plugins(inventory: Inventory) -> None:
    done = inventory.run("ansible-inventory", "--list", "-vvv", name="servers.yml")
    assert done.returncode != 0
    assert inventory.calls() == 0


def test_a_source_ends_in_iplb_yml_or_yaml(inventory: Inventory) -> None:
    for name in ("smtp.iplb.yml", "iplb.yaml"):
        assert inventory.run("ansible-inventory", "--list", name=name).returncode == 0
