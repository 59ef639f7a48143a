# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which selections of tags and which rounds of hosts a playbook accepts."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from ansible.playbook.taggable import Taggable
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import plays
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.plays import PlayError, require_hosts, require_parts

PLAYBOOKS = Path(plays.__file__).parents[2] / "playbooks"
PARTS = yaml.safe_load((PLAYBOOKS / "smtp.yml").read_text())[0]["vars"]["playbook_parts"]


def running(only: list[str], skip: list[str]) -> list[str]:
    return [part for part in PARTS if plays.runs([part], only, skip)]


def test_no_selection_configures_a_load_balancer_whose_postfix_was_not_asked() -> None:
    choices = [
        [],
        ["all"],
        ["tagged"],
        ["untagged"],
        ["x"],
        *([part] for part in PARTS),
        ["preflight", "postfix"],
        list(PARTS),
    ]
    accepted = []
    for only, skip in product(choices, choices):
        with suppress(PlayError):
            require_parts(PARTS, [], only or ["all"], skip)
            accepted.append(running(only or ["all"], skip))
    wanted = [["preflight", "postfix"], [*PARTS][:3], [*PARTS]]
    assert all(selection in wanted for selection in accepted)
    assert wanted[0] in accepted
    assert wanted[2] in accepted


@pytest.mark.parametrize("skip", [["always"], ["always", "confirm"]])
def test_the_checks_can_not_be_skipped(skip: list[str]) -> None:
    with pytest.raises(PlayError, match="always"):
        require_parts(PARTS, [], ["all"], skip)


def test_tags_of_a_playbook_that_imports_ours_select_all_of_it() -> None:
    require_parts(PARTS, ["mail"], ["mail"], [])
    with pytest.raises(PlayError, match="leaves nothing to do"):
        require_parts(PARTS, ["mail"], ["all"], ["mail"])


@pytest.mark.parametrize("only", [["all"], ["tagged"], ["untagged"], ["a"], ["b"], ["a", "b"]])
@pytest.mark.parametrize("skip", [[], ["all"], ["tagged"], ["untagged"], ["a"], ["b"]])
def test_what_runs_is_what_ansible_runs(only: list[str], skip: list[str]) -> None:
    class Task(Taggable):
        tags: ClassVar = ["a"]
        _loader = None
        _parent = None  # ansible-core before 2.19 looks there too

        def _get_all_taggable_objects(self) -> list[object]:
            return []

    assert plays.runs(["a"], only, skip) == Task().evaluate_tags(only, skip, {})


def test_a_farm_is_never_declared_with_the_servers_of_one_round() -> None:
    with pytest.raises(PlayError, match=r"leaves out b2.*serial"):
        require_hosts("all", ["b1"], ["b1", "b2"])
    require_hosts("all", ["b1", "b2"], ["b1", "b2"])
    require_hosts("any", ["b1"], ["b1", "b2"])


def test_not_all_hosts_are_drained_at_once() -> None:
    with pytest.raises(PlayError, match=r"b1, b2 at once.*serial: 1"):
        require_hosts("one", ["b1", "b2"], ["b1", "b2"])
    require_hosts("one", ["b1"], ["b1", "b2"])


@pytest.mark.parametrize("strategy", ["free", "host_pinned", "ansible.builtin.free", "debug", "mitogen_linear"])
def test_no_host_runs_ahead_of_the_others(strategy: str) -> None:
    with pytest.raises(PlayError, match=f"{strategy}.*strategy: linear"):
        plays.require_lockstep(strategy)


@pytest.mark.parametrize("playbook", [path.name for path in PLAYBOOKS.glob("*.yml") if path.name != "awx.yml"])
def test_every_play_says_its_strategy(playbook: str) -> None:
    described = [play for play in yaml.safe_load((PLAYBOOKS / playbook).read_text()) if "hosts" in play]
    assert [play.get("strategy") for play in described] == ["linear"] * len(described)
