# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays and command lines as operators write them: what would break a promise is refused before anything is written.

What could reach this machine's own Postfix runs in check mode.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator.credentials import ACCESS_TOKEN
from simulator.launcher import Running

from .conftest import COLLECTIONS, PROGRAMS, TIMEOUT

INVENTORY = """\
[smtp_backends]
b1 ansible_host=192.0.2.11
b2 ansible_host=192.0.2.12
[all:vars]
ansible_connection=local
ansible_python_interpreter='{{ ansible_playbook_python }}'
smtp_load_balancer_wait_for_healthy=false
"""
ROLE = "mailops.ovh_iplb.smtp_load_balancer"
SESSION = "ESTAB 0 0 192.0.2.11:25 198.51.100.129:40012\n\t cubic lastsnd:95000 lastrcv:95000 lastack:95000\n"


@dataclass(frozen=True)
class Run:
    status: int
    output: str

    @property
    def messages(self) -> str:
        """On one line: Ansible folds what it prints."""
        return " ".join(self.output.split())


class Controller:
    """Where ansible-playbook is started."""

    def __init__(self, simulator: Running, directory: Path) -> None:
        self.simulator = simulator
        self.directory = directory
        (directory / "hosts").write_text(INVENTORY)

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def play(self, roles: Sequence[dict[str, Any]], *arguments: str, words: Any = None, **environment: str) -> Run:
        """A play of the operator's own over the backends, with ``words`` such as serial."""
        play = {"hosts": "smtp_backends", "gather_facts": False, **(words or {})}
        tasks = [{"ansible.builtin.include_role": role} for role in roles]
        return self.run(self.write("play.yml", json.dumps([{**play, "tasks": tasks}])), *arguments, **environment)

    def run(self, playbook: str, *arguments: str, **environment: str) -> Run:
        return self.start("ansible-playbook", "-i", "hosts", playbook, *arguments, **environment)

    def start(self, program: str, *arguments: str, **environment: str) -> Run:
        base = {
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            "ANSIBLE_NOCOWS": "1",
            "HOME": str(self.directory),
            "PATH": f"{self.directory}:{PROGRAMS}:{os.environ['PATH']}",
            **self.simulator.environment,
        }
        done = subprocess.run(
            [PROGRAMS / program, *arguments],
            cwd=self.directory,
            env={**base, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def writes(self) -> list[dict[str, Any]]:
        requests = self.simulator.admin("GET", "requests")["requests"]
        return [request for request in requests if request["method"] != "GET"]

    def farms(self) -> list[dict[str, Any]]:
        """The farms that are live or wait for a refresh, with their servers."""
        played = self.run(
            self.write(
                "look.yml",
                json.dumps(
                    [
                        {
                            "hosts": "localhost",
                            "gather_facts": False,
                            "tasks": [
                                {"mailops.ovh_iplb.load_balancer_info": {"gather": ["farms"]}, "register": "found"},
                                {
                                    "ansible.builtin.copy": {
                                        "content": "{{ found.farms | to_json }}",
                                        "dest": str(self.directory / "farms.json"),
                                        "mode": "0600",
                                    }
                                },
                            ],
                        }
                    ]
                ),
            )
        )
        assert played.status == 0, played.output
        farms: list[dict[str, Any]] = json.loads((self.directory / "farms.json").read_text())
        return farms


@pytest.fixture
def controller(simulator: Running, tmp_path: Path) -> Controller:
    simulator.reset()
    return Controller(simulator, tmp_path)


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_no_load_balancer_goes_live_before_the_postfix_of_a_slow_host(controller: Controller, strategy: str) -> None:
    role = {"free": "mailops.ovh_iplb.postfix_backend", "host_pinned": ROLE}[strategy]
    played = controller.play([{"name": role}], "--check", ANSIBLE_STRATEGY=strategy)
    assert played.status == 2, played.output
    assert f"The strategy of this play is {strategy}" in played.messages
    assert controller.writes() == []


def test_no_entry_point_runs_ahead_either(controller: Controller) -> None:
    entries = ["preflight", "compare", "confirm", "drain", "put_back", "return", "absent"]
    tasks = [
        {
            "block": [
                {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry, "rolespec_validate": False}}
            ],
            "rescue": [{"ansible.builtin.debug": {"msg": f"{entry} refused {{{{ ansible_failed_result.msg }}}}"}}],
        }
        for entry in entries
    ]
    play = {"hosts": "b1", "gather_facts": False, "strategy": "free", "tasks": tasks}
    played = controller.run(controller.write("play.yml", json.dumps([play])), "--check")
    assert played.status == 0, played.output
    assert [
        entry for entry in entries if f"{entry} refused The strategy of this play is free" in played.messages
    ] == entries
    assert controller.writes() == []


def test_our_playbooks_keep_the_order_whatever_ansible_cfg_says(controller: Controller) -> None:
    played = controller.run("mailops.ovh_iplb.drift", ANSIBLE_STRATEGY="free")
    assert played.status == 0, played.output


def test_no_server_of_a_later_round_is_forgotten(controller: Controller) -> None:
    played = controller.play([{"name": ROLE}], words={"serial": 1})
    assert played.status == 2, played.output
    assert "serial leaves out b2" in played.messages
    assert controller.writes() == []


def test_not_every_host_is_drained_at_once(controller: Controller) -> None:
    assert controller.play([{"name": ROLE}]).status == 0
    played = controller.play([{"name": ROLE, "tasks_from": "drain"}])
    assert played.status == 2, played.output
    assert "b1, b2 at once" in played.messages
    assert [server["status"] for farm in controller.farms() for server in farm["servers"]] == ["active", "active"]


def test_who_keeps_a_host_from_being_drained_is_told(controller: Controller) -> None:
    assert controller.play([{"name": ROLE}]).status == 0
    Path(controller.write("ss", f"#!/bin/sh\ncat <<'END'\n{SESSION}END\n")).chmod(0o755)
    controller.write("work.yml", "[]")
    variables = ["-e", "maintenance_tasks=work.yml", "-e", "smtp_load_balancer_drain_timeout=2"]
    played = controller.run("mailops.ovh_iplb.maintenance", *variables)
    assert played.status == 2, played.output
    assert (
        "b1 could not be drained and is as before (b1 still has 1 session of the load balancer (198.51.100.129:40012, "
        "silent for 95 s) after 2 s. smtp_load_balancer_drain_timeout gives more time.)"
    ) in played.messages
    assert [server["status"] for farm in controller.farms() for server in farm["servers"]] == ["active", "active"]


def test_why_a_host_can_not_be_drained_is_told(controller: Controller) -> None:
    assert controller.play([{"name": ROLE}]).status == 0
    Path(controller.write("ss", "#!/bin/sh\necho 'ss: bad filter' >&2\nexit 255\n")).chmod(0o755)
    controller.write("work.yml", "[]")
    played = controller.run("mailops.ovh_iplb.maintenance", "-e", "maintenance_tasks=work.yml")
    assert "The sessions of b1 can not be told: ss ended with status 255: ss: bad filter" in played.messages


def test_a_list_and_a_dictionary_on_the_command_line_reach_the_load_balancer(controller: Controller) -> None:
    played = controller.play(
        [{"name": ROLE}],
        *("-e", "smtp_load_balancer_zones=gra,rbx"),
        *("-e", json.dumps({"smtp_load_balancer_farm_options": '{"balance": "leastconn"}'})),
        *("-e", "smtp_load_balancer_server_options=weight=7"),
        *("-e", "smtp_load_balancer_purge_servers=no"),
    )
    assert played.status == 0, played.output
    found = [
        (farm["zone"], farm["balance"], [server["weight"] for server in farm["servers"]]) for farm in controller.farms()
    ]
    assert sorted(found) == [("gra", "leastconn", [7, 7]), ("rbx", "leastconn", [7, 7])]


VARIABLES: dict[str, Any] = {
    "smtp_load_balancer_zones": {"gra": 1},
    "smtp_load_balancer_farm_options": "nonsense",
    "smtp_load_balancer_purge_servers": "maybe",
    "smtp_load_balancer_wait_timeout": "long",
    "smtp_load_balancer_connection": '["HiddenValue"',
    "smtp_load_balancer_proxy_protocol_version": "null",
    "postfix_backend_parameters": "2",
    "postfix_backend_trusted_clients": {"a": 1},
    "postfix_backend_timeout": "",
    "allow_cutover": "maybe",
}


# Each variable with one of the playbooks, so that each playbook has its turn.
@pytest.mark.parametrize(
    ("name", "playbook"), list(zip(VARIABLES, 3 * ["smtp", "rollout", "teardown", "drift"], strict=False))
)
def test_a_variable_of_another_type_is_named(controller: Controller, name: str, playbook: str) -> None:
    played = controller.run(f"mailops.ovh_iplb.{playbook}", "--check", "-e", json.dumps({name: VARIABLES[name]}))
    assert played.status == 2, played.output
    assert name in played.output
    assert "Tagged" not in played.output
    assert "HiddenValue" not in played.output
    assert controller.writes() == []


def test_a_null_on_the_command_line_is_explained(controller: Controller) -> None:
    for given in ("smtp_load_balancer_zones=null", '{"smtp_load_balancer_zones": null}'):
        played = controller.run("mailops.ovh_iplb.smtp", "--check", "-e", given)
        assert played.status == 2, played.output
        assert "It can not be null: leave it out for ['all'], or give a list" in played.messages
    played = controller.run("mailops.ovh_iplb.maintenance", "--check", "-e", '{"maintenance_tasks": null}')
    assert "maintenance_tasks is missing. Name the file with the tasks" in played.messages


@pytest.mark.parametrize(
    "selection",
    [
        ["--tags", "preflight"],
        ["--tags", "postfix"],
        ["--tags", "load_balancer"],
        ["--tags", "confirm"],
        ["--tags", "load_balancer,preflight"],
        ["--skip-tags", "preflight"],
        ["--skip-tags", "always"],
    ],
    ids=" ".join,
)
def test_no_selection_skips_a_step_that_makes_another_safe(controller: Controller, selection: list[str]) -> None:
    played = controller.run("mailops.ovh_iplb.smtp", "--check", *selection)
    assert played.status == 2, played.output
    assert " ".join(selection) in played.messages
    assert "Postfix :" not in played.output
    assert controller.simulator.admin("GET", "requests")["requests"] == []


@pytest.mark.parametrize(
    ("playbook", "selection"),
    [
        ("smtp", ["--tags", "smpt"]),
        ("smtp", ["--skip-tags", "all"]),
        ("smtp", ["--skip-tags", "tagged"]),
        ("drift", ["--tags", "preflight"]),
        ("rollout", ["--skip-tags", "rollout"]),
        ("maintenance", ["--tags", "postfix"]),
        ("teardown", ["--skip-tags", "tagged"]),
    ],
)
def test_a_run_that_skips_everything_does_not_look_like_a_success(
    controller: Controller, playbook: str, selection: list[str]
) -> None:
    played = controller.run(f"mailops.ovh_iplb.{playbook}", "--check", *selection)
    assert played.status == 2, played.output
    assert "leaves nothing to do. The tags of this playbook are" in played.messages


def test_what_a_part_includes_is_part_of_it(controller: Controller) -> None:
    played = controller.run(
        "mailops.ovh_iplb.smtp", "--check", "--tags", "preflight,postfix", "-e", "postfix_backend_firewall=external"
    )
    assert "Refuse to cut off the mail of other farms" in played.output
    assert "Configure Postfix, and prove that it serves mail" in played.output


@pytest.mark.parametrize(("end", "told"), [("\n", ""), ("\nmore", "access_token holds a line break")])
def test_a_token_with_a_line_break_is_shown_nowhere(controller: Controller, end: str, told: str) -> None:
    """As a YAML block or a file that is read without trim has it."""
    connection = {"endpoint": controller.simulator.endpoint, "access_token": ACCESS_TOKEN + end}
    report = controller.directory / "report"
    variables = {"smtp_load_balancer_connection": connection, "drift_report_dir": str(report)}
    played = controller.run("mailops.ovh_iplb.drift", "-v", "-e", f"@{controller.write('vars', json.dumps(variables))}")
    source = controller.write("smtp.iplb.yml", json.dumps({"plugin": "mailops.ovh_iplb.iplb", **connection}))
    listed = controller.start("ansible-inventory", "--list", "-vv", "-i", source)
    texts = [path.read_text() for path in report.iterdir()]
    assert texts
    for text in (played.output, listed.output, *texts):
        assert ACCESS_TOKEN not in text
    for text in (listed.messages, *texts):
        assert told in text


def test_the_credentials_of_the_folder_are_found_by_whatever_is_started_there(controller: Controller) -> None:
    endpoint = controller.simulator.endpoint
    controller.write("ovh.conf", f"[default]\nendpoint={endpoint}\n[{endpoint}]\naccess_token={ACCESS_TOKEN}\n")
    others = {name: "" for name in controller.simulator.environment if name != "OVH_IPLB_SERVICE"}
    task: dict[str, Any] = {"mailops.ovh_iplb.load_balancer_info": {"gather": []}}
    (controller.directory / "plays").mkdir()
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    by_path = controller.write("plays/look.yml", json.dumps(play))
    source = controller.write("smtp.iplb.yml", json.dumps({"plugin": "mailops.ovh_iplb.iplb"}))
    for started in (
        controller.run(by_path, **others),
        controller.start("ansible", "localhost", "-m", *task, "-a", json.dumps({"gather": []}), **others),
        controller.start("ansible-inventory", "-i", source, "--graph", **others),
        controller.run("mailops.ovh_iplb.drift", **others),
    ):
        assert started.status == 0, started.output
        assert "is missing" not in started.messages, started.output
        assert "are missing" not in started.messages, started.output
