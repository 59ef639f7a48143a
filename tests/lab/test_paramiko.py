# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks over the connection mailops.ovh_iplb.paramiko, and beside them over OpenSSH with ControlPersist.

It is for a controller without an SSH client, so whatever an operator does has to work over it, under mail too.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .conftest import CLIENTS, MEASURED, SMTP, received
from .driver import LAB, PROGRAMS, PROJECT, Lab, Play, await_result
from .test_rollout import MESSAGES, ROLLOUT, UnderLoad, proxy, under_load

DRIFT = str(PROJECT / "playbooks/drift.yml")
PARAMIKO, OPENSSH = "mailops.ovh_iplb.paramiko", "ansible.builtin.ssh"
PASSWORD = "the password of alice"
TIMEOUT = 120


@dataclass
class Story:
    """What was played over one connection, and how long each part took."""

    connection: str
    seconds: dict[str, float] = field(default_factory=dict)
    plays: dict[str, Play] = field(default_factory=dict)
    load: UnderLoad | None = None

    def timed(self, name: str, play: Callable[[], Play]) -> None:
        started = time.monotonic()
        self.plays[name] = play()
        self.seconds[name] = round(time.monotonic() - started, 1)

    def summary(self) -> str:
        figures = ", ".join(f"{name} {seconds} s" for name, seconds in self.seconds.items())
        return f"{self.connection}: {figures}; {self.load.summary() if self.load else ''}"


@pytest.fixture(scope="module")
def core(lab: Lab) -> str:
    return lab.run("controller", PROGRAMS / "ansible", "--version").stdout.split("\n")[0]


@pytest.fixture(scope="module", params=[PARAMIKO, OPENSSH])
def story(request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """From hosts without a header to hosts with one, under mail. Each connection begins where the last one did."""
    told = Story(request.param)
    connection = ("-c", told.connection)
    report = ("-e", f"drift_report_dir={tmp_path_factory.mktemp('report')}")

    def rollout() -> Play:
        told.load = under_load(lab, told.connection.rpartition(".")[2], ROLLOUT, *connection)
        return told.load.play

    told.timed("smtp.yml without header", lambda: lab.play(SMTP, *connection, "-e", "allow_cutover=true", *proxy(None)))
    told.timed("rollout.yml under load", rollout)
    told.timed("smtp.yml without changes", lambda: lab.play(SMTP, *connection))
    told.timed("drift.yml", lambda: lab.play(DRIFT, *connection, *report))
    return told


@pytest.mark.long
def test_every_playbook_succeeds(story: Story, core: str, record_property: Callable[[str, object], None]) -> None:
    record_property(MEASURED, f"{core}, {story.summary()}")
    for name, play in story.plays.items():
        assert play.status == 0, f"{name}:\n{play.output}"
    assert story.plays["smtp.yml without changes"].is_idle
    assert "no drift" in story.plays["drift.yml"].output.lower()


@pytest.mark.long
def test_no_mail_is_lost_or_doubled(story: Story) -> None:
    assert story.load is not None
    assert len(story.load.load["accepted"]) >= MESSAGES
    assert not story.load.load["refused"]
    assert story.load.delivered == Counter(story.load.load["accepted"]), story.load.summary()


@pytest.mark.long
def test_the_backend_knows_the_client(story: Story, lab: Lab) -> None:
    assert story.plays["smtp.yml without changes"].status == 0
    assert f"[{CLIENTS[0]}]" in received(lab, CLIENTS[0], f"over {story.connection}")


def play(lab: Lab, directory: Path, tasks: str, *arguments: str, checking: str = "true") -> Play:
    playbook = directory / "playbook.yml"
    playbook.write_text(f"- name: Work\n  hosts: smtp_backends\n  gather_facts: false\n  tasks:\n{tasks}")
    # Without files to remove, the first word about a lost host is also the last.
    return lab.play(
        str(playbook), "-c", PARAMIKO, *arguments, ANSIBLE_HOST_KEY_CHECKING=checking, ANSIBLE_PIPELINING="true"
    )


REBOOT = """
    - name: Reboot
      ansible.builtin.reboot:
        reboot_timeout: 120
    - name: Work on
      ansible.builtin.command: cat /proc/sys/kernel/random/boot_id
      changed_when: true
"""


def test_a_reboot_by_the_playbook_is_waited_for(lab: Lab, tmp_path: Path) -> None:
    before = [boot(lab, host) for host in lab.backends]
    done = play(lab, tmp_path, REBOOT)
    assert done.status == 0, done.output
    assert not set(before) & {boot(lab, host) for host in lab.backends}


def boot(lab: Lab, host: str) -> str:
    return lab.shell(host, "cat /proc/sys/kernel/random/boot_id")


BREAK = """
    - name: Work for long
      ansible.builtin.command: sleep 60
      changed_when: false
      ignore_unreachable: true
      register: lost
    - name: See what was said
      ansible.builtin.debug:
        msg: "{{ 'lost: ' ~ (lost.msg | default('')) }}"
    - name: Wait
      ansible.builtin.wait_for_connection:
        timeout: 120
    - name: Work on
      ansible.builtin.ping:
"""


def test_a_reboot_in_the_middle_of_a_task_loses_that_task_alone(lab: Lab, tmp_path: Path) -> None:
    host = lab.backends[0]
    with ThreadPoolExecutor() as pool:
        playing = pool.submit(play, lab, tmp_path, BREAK, "--limit", host)
        await_result(lambda: "sleep 60" in lab.shell(host, "ps -eo args"), TIMEOUT)
        subprocess.run([LAB, "reboot", host], check=True, env=lab.variables)
        done = playing.result()
    assert "was lost while a command ran" in done.output, done.output
    assert "Work on" in done.output
    assert done.status == 0, done.output


GONE = """
    - name: Work for long
      ansible.builtin.command: sleep 300
      changed_when: false
"""


SILENCE = "nft 'table inet silence { chain out { type filter hook output priority 0; policy drop; }; }'"


def test_a_host_that_is_gone_without_a_word_is_given_up(lab: Lab, tmp_path: Path) -> None:
    host = lab.backends[0]
    interval = ("-e", "ansible_paramiko_keepalive_interval=1")
    with ThreadPoolExecutor() as pool:
        playing = pool.submit(play, lab, tmp_path, GONE, "--limit", host, *interval)
        await_result(lambda: "sleep 300" in lab.shell(host, "ps -eo args"), TIMEOUT)
        lab.shell(host, SILENCE)
        try:
            done = playing.result(TIMEOUT)
        finally:
            lab.shell(host, "nft delete table inet silence")
    assert "was lost while a command ran" in done.output, done.output
    assert done.failed == {host: 1}


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_a_user_with_passwords_alone_can_run_it_all(pipelining: str, lab: Lab, tmp_path: Path) -> None:
    """One to sign in with, and the same for sudo."""
    for host in lab.backends:
        lab.shell(host, f"echo 'alice:{PASSWORD}' | chpasswd; echo 'alice ALL=(ALL) ALL' > /etc/sudoers.d/alice")
    user = {
        "ansible_user": "alice",
        "ansible_password": PASSWORD,
        "ansible_become": True,
        "ansible_become_password": PASSWORD,
        "ansible_ssh_private_key_file": "",
        "ansible_paramiko_use_agent": False,
        "ansible_paramiko_look_for_keys": False,
    }
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"smtp_backends": {"vars": user}}))
    done = lab.play(SMTP, "-i", str(users), "-c", PARAMIKO, ANSIBLE_PIPELINING=pipelining)
    assert done.status == 0, done.output
    assert PASSWORD not in done.output


def test_a_changed_host_key_stops_the_playbook_even_where_checking_is_off(lab: Lab, tmp_path: Path) -> None:
    """As AWX has it by default: whoever answers in a host's place gets neither configuration nor password."""
    host, other = lab.backends[:2]
    known = Path(lab.status["hosts"][host]["ssh"]["known_hosts"]).read_text().splitlines()
    key = next(line for line in known if line.startswith(f"{other},")).split()[1:]
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"{lab.address(host)} {' '.join(key)}\n")
    files = json.dumps({"ansible_paramiko_known_hosts": [str(wrong)]})
    done = play(lab, tmp_path, "    - ansible.builtin.ping:\n", "-e", files, checking="false")
    assert "THE HOST KEY HAS CHANGED" in done.output
    assert done.failed == {host: 1, **dict.fromkeys(lab.backends[1:], 0)}
