# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roll-out and maintenance on a live farm: what an operator relies on when mail does not stop meanwhile."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from .conftest import CLIENTS, MEASURED, SMTP, received
from .driver import HERE, PROJECT, SERVICE_ADDRESS, Lab, Play, await_result

ROLLOUT = str(PROJECT / "playbooks/rollout.yml")
MAINTENANCE = str(PROJECT / "playbooks/maintenance.yml")
TWO = ("--limit", "backend1,backend2")
MESSAGES, RATE = 5000, 150  # at least, and in a second
MAILBOXES = "/var/mail/alice /var/mail/bob"


def proxy(version: str | None) -> tuple[str, str]:
    return "-e", json.dumps({"smtp_load_balancer_proxy_protocol_version": version})


@dataclass(frozen=True)
class UnderLoad:
    """A playbook that ran while mail came in. ``delivered``: how often each message lies in a mailbox."""

    name: str
    play: Play
    load: dict[str, Any]
    delivered: Counter[int]

    def summary(self) -> str:
        return (
            f"{self.name}: {len(self.load['accepted'])} messages in {self.load['sessions']} sessions and "
            f"{self.load['seconds']} s; abnormal sessions: {len(self.load['abnormal'])}, "
            f"unclear: {self.load['unclear']}, delivered twice: {sum(n > 1 for n in self.delivered.values())}"
        )


def under_load(
    farm: Lab,
    name: str,
    playbook: str,
    *arguments: str,
    services: Sequence[str] = ("25",),
    sources: Sequence[str] = (),
    messages: int = MESSAGES,
    rate: int = RATE,
) -> UnderLoad:
    """``sources`` are addresses of the client, all of them unless some are named."""
    words = ("--host", SERVICE_ADDRESS, "--run", name, "--messages", str(messages), "--rate", str(rate))
    clients = sources or farm.status["client_addresses"]
    load = farm.start(
        "client", sys.executable, HERE / "load.py", *words, "--sources", *clients, "--services", *services
    )
    try:
        play = farm.play(playbook, *arguments)
    finally:
        report = json.loads(load.communicate()[0])
    return UnderLoad(name, play, report, delivered(farm, name))


def delivered(farm: Lab, name: str) -> Counter[int]:
    for host in farm.backends:
        await_result(lambda host=host: "is empty" in farm.shell(host, "mailq"), 120)  # type: ignore[misc]
    found: Counter[int] = Counter()
    for host in farm.backends:
        text = farm.shell(host, f"cat {MAILBOXES} 2>/dev/null | grep -a '^Message-ID: <[0-9]*@{name}>'", check=False)
        found.update(int(number) for number in re.findall(r"<(\d+)@", text))
    return found


@dataclass(frozen=True)
class Story:
    lonely: Play  # a farm with one backend
    two: UnderLoad  # off to v1
    again: Play
    newer: Play  # one backend from v1 to v2
    four: UnderLoad  # v2 to off
    boots: list[str]  # before the maintenance
    maintenance: UnderLoad


@pytest.fixture(scope="module")
def story(farm: Lab, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """From Debian's Postfix without a header to a farm of four, and off again; it ends with the header off."""
    directory = tmp_path_factory.mktemp("operator")
    (directory / "patch.yml").write_text(REBOOT)
    require(farm.play(SMTP, "--limit", "backend1", *proxy(None)))
    lonely = farm.play(ROLLOUT, "--limit", "backend1")
    require(farm.play(SMTP, *TWO, *proxy(None)))
    two = under_load(farm, "two", ROLLOUT, *TWO)
    again = farm.play(ROLLOUT, *TWO)
    newer = farm.play(ROLLOUT, "--diff", "--limit", "backend1", *proxy("v2"))
    require(farm.play(SMTP, *proxy("v2")))
    four = under_load(farm, "four", ROLLOUT, *proxy(None))
    boots = [boot(farm, host) for host in farm.backends]
    maintenance = under_load(
        farm, "maintenance", MAINTENANCE, *TWO, *proxy(None), "-e", f"maintenance_tasks={directory / 'patch.yml'}"
    )
    return Story(lonely, two, again, newer, four, boots, maintenance)


REBOOT = """
- name: Reboot
  ansible.builtin.reboot:
    reboot_timeout: 120
"""


def require(play: Play) -> None:
    assert play.status == 0, play.output


def servers(farm: Lab) -> dict[str, dict[str, Any]]:
    """The servers that get mail in zone gra, by host."""
    live = farm.simulator("GET", "live")["gra"]["tcp/server"]
    hosts = {farm.address(host): host for host in farm.backends}
    return {hosts[server["address"]]: server for server in live if server["status"] == "active"}


def boot(farm: Lab, host: str) -> str:
    return farm.shell(host, "cat /proc/sys/kernel/random/boot_id")


def main_cf(farm: Lab, host: str) -> str:
    return farm.shell(host, "cat /etc/postfix/main.cf /etc/postfix/master.cf")


@pytest.mark.parametrize("name", ["two", "four", "maintenance"])
def test_no_mail_is_lost_or_doubled(name: str, story: Story, record_property: Callable[[str, object], None]) -> None:
    done: UnderLoad = getattr(story, name)
    record_property(MEASURED, done.summary())
    require(done.play)
    assert len(done.load["accepted"]) >= MESSAGES
    assert not done.load["refused"]
    assert done.delivered == Counter(done.load["accepted"]), done.summary()
    assert not done.load["abnormal"], done.load["abnormal"][:10]


def test_a_farm_with_one_backend_is_left_alone(story: Story) -> None:
    assert story.lonely.status != 0
    assert "192.0.2.11:25 would leave the farm without a server" in story.lonely.output
    assert "backend1 could not be changed and is as before" in story.lonely.output


def test_a_second_rollout_changes_nothing(story: Story) -> None:
    require(story.again)
    assert story.again.is_idle, story.again.output


def test_the_version_changes(story: Story) -> None:
    require(story.newer)
    assert '"proxy_protocol_version": "v2"' in story.newer.output


def test_maintenance_rebooted_two_of_four(story: Story, farm: Lab) -> None:
    boots = [boot(farm, host) for host in farm.backends]
    assert [before == after for before, after in zip(story.boots, boots, strict=True)] == [False, False, True, True]


# The failures leave the farm as they found it: four backends, no header.


@pytest.fixture
def unchanged(story: Story, farm: Lab) -> Iterator[None]:
    """A failed run leaves every server and every Postfix as they were, and mail flows."""
    before = servers(farm), [main_cf(farm, host) for host in farm.backends]
    yield
    assert (servers(farm), [main_cf(farm, host) for host in farm.backends]) == before
    assert received(farm, CLIENTS[0], f"after {id(before)}")


@pytest.mark.usefixtures("unchanged")
def test_a_host_without_healthy_peer_is_not_touched(farm: Lab) -> None:
    farm.simulator("PUT", "health", {farm.address(host): "DOWN" for host in farm.backends[1:]})
    try:
        refused = farm.play(ROLLOUT)
    finally:
        farm.simulator("PUT", "health", {})
    assert refused.status != 0
    assert "192.0.2.11:25 would leave the farm without a server" in refused.output
    assert "backend2" not in refused.changed


@pytest.mark.usefixtures("unchanged")
def test_a_host_that_another_farm_sends_to_without_a_header_is_not_touched(farm: Lab) -> None:
    made = farm.api("POST", "{service}/tcp/farm", {"zone": "rbx", "port": 25})["farmId"]
    servers_path = f"{{service}}/tcp/farm/{made}/server"
    server = farm.api("POST", servers_path, {"address": farm.address("backend1"), "status": "active"})["serverId"]
    try:
        refused = farm.play(ROLLOUT)
    finally:
        farm.api("DELETE", f"{servers_path}/{server}")
        farm.api("DELETE", f"{{service}}/tcp/farm/{made}")
    assert refused.status != 0
    assert f"the farms with the ids {made}" in " ".join(refused.output.split())
    assert "Take this host out of the farms" not in refused.output
    assert "backend2" not in refused.changed


@pytest.mark.usefixtures("unchanged")
def test_a_farm_that_is_not_there_is_named(farm: Lab) -> None:
    refused = farm.play(ROLLOUT, "-e", "smtp_load_balancer_name=smpt")
    assert refused.status != 0
    assert "There is no farm tcp/all/smpt. The playbook mailops.ovh_iplb.smtp makes it" in " ".join(
        refused.output.split()
    )


@pytest.mark.usefixtures("unchanged")
def test_a_session_that_does_not_end_puts_the_host_back(farm: Lab) -> None:
    with session(farm, "backend1") as say:
        refused = farm.play(ROLLOUT, "-e", "smtp_load_balancer_drain_timeout=4")
        assert say("NOOP")[:3] == "250"
    assert refused.status != 0
    assert "backend1 could not be changed and is as before" in refused.output
    assert "backend2" not in refused.changed


@pytest.mark.usefixtures("unchanged")
def test_a_postfix_that_fails_is_put_back(farm: Lab) -> None:
    """It starts with the configuration of before, and does not with the new one, which only the start shows."""
    drop_in = "/etc/systemd/system/postfix@.service.d"
    fails = "ExecStartPre=/bin/sh -c '! grep -q ^smtp_upstream /etc/postfix/main.cf'"
    farm.shell(
        "backend1", f'mkdir {drop_in}; printf "[Service]\\n{fails}\\n" > {drop_in}/t.conf; systemctl daemon-reload'
    )
    try:
        refused = farm.play(ROLLOUT)
    finally:
        farm.shell("backend1", f"rm -r {drop_in}; systemctl daemon-reload")
    assert refused.status != 0
    assert "backend1 could not be changed and is as before" in refused.output
    assert "backend2" not in refused.changed


@pytest.mark.usefixtures("story", "unchanged")
def test_a_host_whose_firewall_fails_after_postfix_changed_stays_out_until_the_next_run(farm: Lab) -> None:
    """The load balancer would send headers again to a Postfix that has forgotten them."""
    table = "/etc/mailops-ovh-iplb.nft"
    require(farm.play(ROLLOUT, "--limit", "backend1"))
    farm.shell("backend1", f"mount --bind {table} {table}")
    try:
        failed = farm.play(ROLLOUT, "--limit", "backend1", *proxy(None))
    finally:
        farm.shell("backend1", f"umount {table}")
    assert failed.status != 0
    assert "Postfix of backend1 was changed, and then the run failed" in " ".join(failed.output.split())
    assert "backend1" not in servers(farm)
    require(farm.play(ROLLOUT, "--limit", "backend1", *proxy(None)))
    assert servers(farm)["backend1"]["proxyProtocolVersion"] is None


@pytest.mark.usefixtures("unchanged")
def test_maintenance_tasks_have_to_be_there(farm: Lab, tmp_path: Path) -> None:
    refused = farm.play(MAINTENANCE, *proxy(None), "-e", "maintenance_tasks=missing.yml", cwd=tmp_path)
    assert refused.status != 0
    assert str(tmp_path / "missing.yml") in refused.output


@pytest.mark.usefixtures("unchanged")
def test_a_live_farm_is_not_converged_in_one_go(farm: Lab) -> None:
    refused = farm.play(SMTP, "-e", "allow_cutover=false")
    assert refused.status != 0
    assert "mailops.ovh_iplb.rollout" in refused.output


@pytest.mark.usefixtures("unchanged")
def test_a_host_is_maintained_when_its_sessions_ended_and_stays_out_when_that_fails(farm: Lab, tmp_path: Path) -> None:
    """After the reload HAProxy's old process still holds a session: the host may be touched only when it is over."""
    tasks = tmp_path / "tasks.yml"
    tasks.write_text("- name: Fail\n  ansible.builtin.command: sh -c 'touch /root/maintained; false'\n")
    arguments = (MAINTENANCE, *proxy(None), "-e", "maintenance_tasks=tasks.yml")
    with session(farm, "backend1") as say, ThreadPoolExecutor() as pool:
        maintenance = pool.submit(farm.play, *arguments, cwd=tmp_path)
        await_result(lambda: "backend1" not in servers(farm), 60)
        assert say("MAIL FROM:<someone@sender.example>")[:3] == "250"
        assert say("RCPT TO:<alice@example.test>")[:3] == "250"
        assert say("DATA")[:3] == "354"
        assert say(r"Subject: in a session that stayed\r\n\r\nhello\r\n.")[:3] == "250"
        assert "maintained" not in farm.shell("backend1", "ls /root")
        assert say("QUIT")[:3] == "221"
        failed = maintenance.result()
    assert failed.status != 0
    assert "maintained" in farm.shell("backend1", "ls /root")
    assert set(servers(farm)) == {"backend2", "backend3", "backend4"}
    assert "backend2" not in failed.changed
    assert await_result(lambda: farm.find("in a session that stayed"))[0] == "backend1"

    tasks.write_text("- name: Succeed\n  ansible.builtin.command: rm /root/maintained\n")
    require(farm.play(*arguments, "--limit", "backend1", cwd=tmp_path))


@contextlib.contextmanager
def session(farm: Lab, host: str) -> Iterator[Callable[[str], str]]:
    """An SMTP session with this backend, through the load balancer; the function says a line and returns the reply."""
    for _attempt in farm.backends * 3:
        process = farm.start("client", sys.executable, "-u", HERE / "converse.py", SERVICE_ADDRESS)
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def say(line: str, stdin: IO[str] = stdin, stdout: IO[str] = stdout) -> str:
            stdin.write(f"{line}\n")
            stdin.flush()
            return stdout.readline().strip()

        try:
            if host in stdout.readline():
                yield say
                return
        finally:
            process.communicate()
    raise AssertionError(f"the load balancer gave no session with {host}")
