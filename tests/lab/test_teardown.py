# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Off-boarding: what is left of the load balancer and of Postfix, and that the way back is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import CLIENTS, SMTP, received
from .driver import Lab, Play, await_result

TEARDOWN = "playbooks/teardown.yml"
TWO_ZONES = ("-e", '{"smtp_load_balancer_zones": ["gra", "rbx"]}')
CUTOVER = ("-e", "allow_cutover=true")


@dataclass(frozen=True)
class Story:
    """Runs, and what the API and Postfix hold after them."""

    before: list[str]  # the configuration of each Postfix before any run
    foreign: Play  # with a server in the farm that nobody declared
    foreign_left: dict[str, Any]
    one: Play  # one host of four
    one_left: dict[str, Any]
    last: Play  # all, and with them the last frontend
    last_left: dict[str, Any]
    postfix_left: list[str]
    again: Play
    zones: Play  # a frontend of others is there, and ours in two zones
    zones_left: dict[str, Any]


@pytest.fixture(scope="module")
def story(farm: Lab) -> Story:
    before = [configuration(farm, host) for host in farm.backends]
    require(farm.play(SMTP, *CUTOVER))

    ours = farm.api("GET", "{service}/tcp/farm")[0]
    stranger = farm.api("POST", f"{{service}}/tcp/farm/{ours}/server", {"address": "192.0.2.99", "status": "inactive"})
    foreign, foreign_left = farm.play(TEARDOWN), live(farm)
    farm.api("DELETE", f"{{service}}/tcp/farm/{ours}/server/{stranger['serverId']}")

    one, one_left = farm.play(TEARDOWN, "--limit", farm.backends[-1]), live(farm)
    last, last_left = farm.play(TEARDOWN), live(farm)
    postfix_left = [configuration(farm, host) for host in farm.backends]
    again = farm.play(TEARDOWN)

    other_frontend(farm)
    require(farm.play(SMTP))
    assert f"[{CLIENTS[0]}]" in received(farm, CLIENTS[0], "declared again")
    require(farm.play(TEARDOWN))
    require(farm.play(SMTP, *TWO_ZONES))
    for zone, address in farm.status["service_addresses"].items():
        answer = farm.send(CLIENTS[0], f"through {zone}", address)
        assert answer["accepted"], answer["reply"]
        await_result(lambda zone=zone: farm.find(f"through {zone}"))  # type: ignore[misc]
    zones, zones_left = farm.play(TEARDOWN, *TWO_ZONES), live(farm)
    return Story(before, foreign, foreign_left, one, one_left, last, last_left, postfix_left, again, zones, zones_left)


def configuration(farm: Lab, host: str) -> str:
    return farm.shell(host, "postconf -n; postconf -M; postconf -P")


def live(farm: Lab) -> dict[str, Any]:
    """What is live in zone gra, by kind."""
    found: dict[str, Any] = farm.simulator("GET", "live")["gra"]
    return found


def other_frontend(farm: Lab) -> None:
    """Somebody else's service on the same load balancer."""
    theirs = farm.api("POST", "{service}/tcp/farm", {"displayName": "other", "zone": "gra", "port": 2525})["farmId"]
    frontend = {"displayName": "other", "zone": "gra", "port": "2525", "defaultFarmId": theirs}
    farm.api("POST", "{service}/tcp/frontend", frontend)


def require(play: Play) -> None:
    assert play.status == 0, play.output


def test_servers_of_others_do_not_lose_their_mail(story: Story) -> None:
    assert story.foreign.status != 0
    assert "192.0.2.99" in story.foreign.output
    assert not any(story.foreign.changed.values())
    assert [frontend["disabled"] for frontend in story.foreign_left["tcp/frontend"]] == [False]


def test_one_host_leaves_and_the_others_serve(story: Story, farm: Lab) -> None:
    require(story.one)
    addresses = {server["address"] for server in story.one_left["tcp/server"]}
    assert addresses == {farm.address(host) for host in farm.backends[:-1]}
    assert [frontend["disabled"] for frontend in story.one_left["tcp/frontend"]] == [False]


def test_the_last_frontend_is_kept_disabled_and_empty(story: Story) -> None:
    require(story.last)
    assert "is kept, disabled, with an empty farm" in " ".join(story.last.output.split())
    assert "tcp/server" not in story.last_left
    assert [frontend["disabled"] for frontend in story.last_left["tcp/frontend"]] == [True]


def test_postfix_is_what_it_was(story: Story) -> None:
    assert story.postfix_left == story.before


def test_a_second_teardown_changes_nothing(story: Story) -> None:
    require(story.again)
    assert not any(story.again.changed.values()), story.again.output


def test_beside_other_frontends_nothing_is_kept(story: Story) -> None:
    require(story.zones)
    assert "is kept, disabled" not in " ".join(story.zones.output.split())
    assert [farm["displayName"] for farm in story.zones_left["tcp/farm"]] == ["other"]
    assert [frontend["displayName"] for frontend in story.zones_left["tcp/frontend"]] == ["other"]
