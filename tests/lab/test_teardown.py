# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Off-boarding: what is left of the load balancer and of Postfix, and that the way back is open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import CLIENTS, SMTP
from .driver import Lab, Play, await_result

TEARDOWN = "playbooks/teardown.yml"
ZONES = ("-e", '{"smtp_load_balancer_zones": ["gra", "rbx"]}')


@dataclass(frozen=True)
class Story:
    """Runs, and what the API and Postfix hold after them."""

    before: list[str]  # the configuration of each Postfix before any run
    misnamed: list[Play]  # with another name, other zones or some zones of the service
    foreign: Play  # with a server in the farm that nobody declared
    foreign_left: dict[str, Any]
    one: Play  # one host of four
    one_left: dict[str, Any]
    last: Play  # all, and with them the last frontends
    last_left: dict[str, Any]
    postfix_left: list[str]
    again: Play
    stuck: Play  # all, with a frontend of others, and a refresh that ends in an error
    beside: Play  # the same again, and the refresh works
    beside_left: dict[str, Any]
    elsewhere: Play  # from nothing to a service again, while another farm sends to a host without a header


@pytest.fixture(scope="module")
def story(farm: Lab) -> Story:
    """Twice from nothing to a service in two zones and back."""
    farm.simulator("POST", "reset")
    before = [configuration(farm, host) for host in farm.backends]
    require(farm.play(SMTP, *ZONES))

    misnamed = [
        farm.play(TEARDOWN, *ZONES, "-e", json.dumps(wrong))
        for wrong in (
            {"smtp_load_balancer_name": "smpt"},
            {"smtp_load_balancer_zones": ["all"]},
            {"smtp_load_balancer_zones": "gra"},
        )
    ]
    stranger = a_stranger(farm)
    foreign, foreign_left = farm.play(TEARDOWN, *ZONES), live(farm)
    farm.api("DELETE", stranger)

    one, one_left = farm.play(TEARDOWN, *ZONES, "--limit", farm.backends[-1]), live(farm)
    last, last_left = farm.play(TEARDOWN, *ZONES), live(farm)
    postfix_left = [configuration(farm, host) for host in farm.backends]
    again = farm.play(TEARDOWN, *ZONES)

    other_frontend(farm)
    require(farm.play(SMTP, *ZONES))
    for zone, address in farm.status["service_addresses"].items():
        assert farm.send(CLIENTS[0], f"through {zone}", address)["accepted"]
        await_result(lambda zone=zone: farm.find(f"through {zone}"))  # type: ignore[misc]
    farm.simulator("PUT", "switches", {"task_outcome": "error"})
    stuck = farm.play(TEARDOWN, *ZONES)
    farm.simulator("PUT", "switches", {"task_outcome": "done"})
    beside, beside_left = farm.play(TEARDOWN, *ZONES), live(farm)

    by_hand(farm)
    elsewhere = farm.play(SMTP, *ZONES)
    return Story(
        before,
        misnamed,
        foreign,
        foreign_left,
        one,
        one_left,
        last,
        last_left,
        postfix_left,
        again,
        stuck,
        beside,
        beside_left,
        elsewhere,
    )


def configuration(farm: Lab, host: str) -> str:
    return farm.shell(host, "postconf -n; postconf -M; postconf -P")


def live(farm: Lab) -> dict[str, Any]:
    """What is live in zone gra, by kind."""
    found: dict[str, Any] = farm.simulator("GET", "live")["gra"]
    return found


def a_stranger(farm: Lab) -> str:
    """A server that nobody declared, in the farm of zone gra; its path."""
    for number in farm.api("GET", "{service}/tcp/farm"):
        servers = f"{{service}}/tcp/farm/{number}/server"
        if farm.api("GET", f"{{service}}/tcp/farm/{number}")["zone"] == "gra":
            created = farm.api("POST", servers, {"address": "192.0.2.99", "status": "inactive"})
            return f"{servers}/{created['serverId']}"
    raise AssertionError("there is no farm in zone gra")


def other_frontend(farm: Lab) -> None:
    """Somebody else's service on the same load balancer."""
    theirs = farm.api("POST", "{service}/tcp/farm", {"displayName": "other", "zone": "gra", "port": 2525})["farmId"]
    frontend = {"displayName": "other", "zone": "gra", "port": "2525", "defaultFarmId": theirs}
    farm.api("POST", "{service}/tcp/frontend", frontend)


def by_hand(farm: Lab) -> None:
    """What somebody made in the control panel: a farm without a name, and mail through it without a header."""
    made = farm.api("POST", "{service}/tcp/farm", {"zone": "gra", "port": 25})["farmId"]
    server = {"address": farm.address(farm.backends[0]), "status": "active"}
    farm.api("POST", f"{{service}}/tcp/farm/{made}/server", server)


def require(play: Play) -> None:
    assert play.status == 0, play.output


def test_postfix_does_not_leave_a_farm_that_still_sends_headers(story: Story) -> None:
    for play in story.misnamed:
        assert play.status != 0, play.output
        assert "go on sending PROXY headers" in " ".join(play.output.split())


def test_mail_of_a_farm_made_by_hand_is_not_cut_off(story: Story) -> None:
    assert story.elsewhere.status != 0, story.elsewhere.output
    assert "whose mail Postfix would refuse" in " ".join(story.elsewhere.output.split())
    assert not any(story.elsewhere.changed.values()), story.elsewhere.output


def test_servers_of_others_do_not_lose_their_mail(story: Story) -> None:
    assert story.foreign.status != 0
    assert "192.0.2.99" in story.foreign.output
    assert story.foreign.failed, story.foreign.output
    assert [frontend["disabled"] for frontend in story.foreign_left["tcp/frontend"]] == [False]


def test_one_host_leaves_and_the_others_serve(story: Story, farm: Lab) -> None:
    require(story.one)
    addresses = {server["address"] for server in story.one_left["tcp/server"]}
    assert addresses == {farm.address(host) for host in farm.backends[:-1]}
    assert [frontend["disabled"] for frontend in story.one_left["tcp/frontend"]] == [False]


def test_the_last_frontend_is_kept_disabled_and_empty(story: Story) -> None:
    require(story.last)
    assert "kept, disabled, with an empty farm" in " ".join(story.last.output.split())
    assert "tcp/server" not in story.last_left
    assert [frontend["disabled"] for frontend in story.last_left["tcp/frontend"]] == [True]


def test_postfix_is_what_it_was(story: Story) -> None:
    assert story.postfix_left == story.before


def test_a_second_teardown_changes_nothing(story: Story) -> None:
    require(story.again)
    assert story.again.is_idle, story.again.output


def test_a_teardown_that_did_not_go_live_leaves_postfix_and_is_made_good(story: Story) -> None:
    """The objects are gone, but until a refresh works the load balancer goes on sending headers."""
    assert story.stuck.status != 0
    # Once in the trial that comes first, and not again.
    assert story.stuck.output.count("Forget the load balancer") <= 1
    require(story.beside)
    assert [farm["displayName"] for farm in story.beside_left["tcp/farm"]] == ["other"]


def test_beside_other_frontends_nothing_is_kept(story: Story) -> None:
    require(story.beside)
    assert "kept, disabled" not in " ".join(story.beside.output.split())
    assert [farm["displayName"] for farm in story.beside_left["tcp/farm"]] == ["other"]
    assert [frontend["displayName"] for frontend in story.beside_left["tcp/frontend"]] == ["other"]
