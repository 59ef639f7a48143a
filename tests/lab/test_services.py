# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every port of a mail server behind the load balancer: 25, 587 with STARTTLS and 465 with TLS from the beginning.

What an operator relies on when all three are declared in one list, and when services come and go one by one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .backend import Order, Tried, apply, converse, every, fresh_lab, insist, prepare, received_from
from .conftest import CLIENTS, MEASURED, SMTP
from .driver import SERVICE_ADDRESS, Lab, Play, await_result
from .forged import is_relayed
from .test_rollout import MESSAGES, under_load

PORTS = {"smtp": 25, "submission": 587, "submissions": 465}
LISTENERS = {name: f"{name}/inet" for name in PORTS}
LOGIN = "alice:alice-password"
DRIFT, MAINTENANCE, ROLLOUT, TEARDOWN = (
    f"playbooks/{name}.yml" for name in ("drift", "maintenance", "rollout", "teardown")
)
COMMON: dict[str, Any] = {"postfix_backend_trusted_clients": []}

# As on many hosts, and as Debian proposes it: Debian 11 calls it smtps, which is no name of the list.
SUBMISSIONS = """
postconf -M submissions/inet='submissions inet n - n - - smtpd'
postconf -P submissions/inet/syslog_name=postfix/submissions submissions/inet/smtpd_tls_wrappermode=yes \
    submissions/inet/smtpd_sasl_auth_enable=yes submissions/inet/smtpd_sasl_local_domain=example.test \
    submissions/inet/smtpd_recipient_restrictions= \
    submissions/inet/smtpd_relay_restrictions=permit_sasl_authenticated,reject
systemctl restart postfix
"""


def declared(*present: str, absent: Sequence[str] = (), **options: Any) -> dict[str, Any]:
    entries = [
        {
            "name": name,
            "port": str(PORTS[name]),
            "listener": LISTENERS[name],
            "state": "absent" if name in absent else "present",
        }
        for name in PORTS
        if name in (*present, *absent)
    ]
    return {**COMMON, "smtp_load_balancer_services": entries, **options}


ALL = declared(*PORTS)


@dataclass(frozen=True)
class Story:
    lab: Lab
    single: Play  # the guide's service, converged
    single_calls: Counter[str]  # of the API, by path
    first: Play  # all three, from the guide's one
    second: Play
    second_calls: Counter[str]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with fresh_lab("three") as lab:
        every(lab, prepare)
        every(lab, add_submissions)
        require(apply(lab, SMTP, COMMON))
        single, single_calls = counted(lab, COMMON)
        first = apply(lab, SMTP, ALL)
        yield Story(lab, single, single_calls, first, *counted(lab, ALL))


def counted(lab: Lab, variables: dict[str, Any]) -> tuple[Play, Counter[str]]:
    before = Counter(lab.simulator("GET", "calls")["calls"])
    play = apply(lab, SMTP, variables)
    return play, Counter(lab.simulator("GET", "calls")["calls"]) - before


def add_submissions(lab: Lab, host: str) -> None:
    lab.shell(host, SUBMISSIONS)


def require(play: Play) -> Play:
    assert play.status == 0, play.output
    return play


def test_the_list_takes_the_one_service_of_the_guide_over_and_a_second_run_changes_nothing(story: Story) -> None:
    assert story.single.is_idle, story.single.output
    require(story.first)
    assert story.second.is_idle, story.second.output
    frontends = story.lab.simulator("GET", "live")["gra"]["tcp/frontend"]
    assert {(item["displayName"], item["port"]) for item in frontends} == {
        (name, str(port)) for name, port in PORTS.items()
    }


def test_three_services_take_as_many_tasks_as_one(story: Story, record_property: Callable[[str, object], None]) -> None:
    one, three = story.single_calls, story.second_calls
    record_property(
        MEASURED,
        f"an idle run with one service and with three: {tasks(story.single)} and {tasks(story.second)} tasks, "
        f"{one.total()} and {three.total()} calls of the API",
    )
    assert tasks(story.second) == tasks(story.single)
    more = {path for path in three if three[path] > one[path]}
    assert all("{id}" in path for path in more), three - one


def tasks(play: Play) -> int:
    return len(re.findall(r"^TASK \[", play.output, re.M))


def test_every_service_is_confirmed_on_a_line_of_its_own(story: Story) -> None:
    for line in ("smtp, {0} port 25: EHLO", "submission, {0} port 587: STARTTLS, TLS handshake, EHLO"):
        assert line.format(SERVICE_ADDRESS) in story.second.output
    assert f"submissions, {SERVICE_ADDRESS} port 465: TLS handshake, EHLO" in story.second.output


def test_strangers_send_mail_in(story: Story) -> None:
    _host, received = received_from(story.lab, CLIENTS[0], "in from a stranger")
    assert f"[{CLIENTS[0]}]" in received


@pytest.mark.parametrize(("name", "tls"), [("submission", "starttls"), ("submissions", "implicit")])
def test_users_submit_and_their_address_is_known(story: Story, name: str, tls: str) -> None:
    subject = f"submitted on {name}"
    options = {"port": str(PORTS[name]), "tls": tls, "login": LOGIN, "recipient": "bob@example.test"}
    answer = story.lab.send(CLIENTS[1], subject, **options)
    assert answer["accepted"], answer["reply"]
    host, message = await_result(lambda: story.lab.find(subject, "bob"))
    assert f"[{CLIENTS[1]}]" in str(message["Received"])
    log = story.lab.shell(host, "cat /var/log/mail.log")
    assert re.search(rf"postfix/{name}/smtpd.*client=\S*\[{re.escape(CLIENTS[1])}\].*sasl_username=alice", log)


@pytest.mark.parametrize(("name", "tls"), [("submission", "starttls"), ("submissions", "implicit")])
def test_who_does_not_log_in_does_not_submit(story: Story, name: str, tls: str) -> None:
    refused = story.lab.send(CLIENTS[1], "nobody", port=str(PORTS[name]), tls=tls, recipient="b@elsewhere.example")
    assert not refused["accepted"], refused


# The attacks ---------------------------------------------------------------------------------------------------------

CLAIM = r"PROXY TCP4 127.0.0.1 127.0.0.1 1234 25\r\n"
CLAIM2 = r"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x04\xd2\x00\x19"
LOCAL = r"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
HEADERS = {"v1": CLAIM, "v2": CLAIM2, "v2 LOCAL": LOCAL, "a partner": CLAIM.replace("127.0.0.1 1", "192.0.2.200 1", 1)}
RELAY = (r"EHLO x\r\n", r"MAIL FROM:<a@evil.example>\r\n", r"RCPT TO:<b@elsewhere.example>\r\n")
XCLIENT = (r"EHLO x\r\n", r"XCLIENT ADDR=127.0.0.1 NAME=localhost\r\n")


def words(name: str, header: str, *before: str) -> tuple[str, ...]:
    """What an attacker says to a service to relay through it, once TLS is there where it is asked for."""
    if name == "submissions":
        return (f"{header}<unanswered>", "<tls>", "", *before, *RELAY)
    if name == "submission":
        return (header, r"EHLO x\r\n", r"STARTTLS\r\n", "<tls>", *before, *RELAY)
    return (header, *before, *RELAY)


def attacks(lab: Lab, source: str) -> list[Order]:
    return [
        Order(source, lab.address(host), words(name, header, *before), PORTS[name])
        for host in lab.backends
        for name in PORTS
        for header in HEADERS.values()
        for before in ((), XCLIENT)
    ]


def without_firewall(lab: Lab) -> None:
    play = require(apply(lab, SMTP, {**ALL, "postfix_backend_firewall": "none"}))
    text = " ".join(play.output.split())
    assert "whoever reaches smtp/inet, submission/inet, submissions/inet can take it down" in text


def without_guard(lab: Lab) -> None:
    for host in lab.backends:
        overrides = "mynetworks smtpd_authorized_xclient_hosts smtpd_authorized_xforward_hosts"
        services = " ".join(LISTENERS.values())
        lab.shell(host, f"for s in {services}; do for p in {overrides}; do postconf -PX $s/$p; done; done")
        lab.shell(host, "postfix reload")


@pytest.mark.parametrize("guards", ["both", "no guard", "no firewall"])
def test_nothing_relays_by_a_claimed_address_on_any_port(story: Story, guards: str) -> None:
    lab = story.lab
    if guards == "no guard":
        without_guard(lab)
    if guards == "no firewall":
        without_firewall(lab)
    try:
        direct = converse(lab, "client", attacks(lab, CLIENTS[0]))
        nearby = [] if guards == "no guard" else converse(lab, "balancer", attacks(lab, natip(lab)))
        queues = "".join(lab.shell(host, "postqueue -p") for host in lab.backends)
    finally:
        require(apply(lab, SMTP, ALL))
    refused = [answers == ["(ConnectionRefusedError)"] for answers in direct]
    assert all(refused) if guards != "no firewall" else not any(refused)
    assert "elsewhere.example" not in queues
    for answers in (*direct, *nearby):
        assert not re.match(r"250", answers[-1]) or len(answers) < 3, answers
    # Not by accident: each got as far as the recipient.
    for answers in nearby:
        assert re.match(r"[45]54", answers[-1]), answers


def natip(lab: Lab) -> str:
    return str(lab.status["source_addresses"]["gra"])


# Services come and go ------------------------------------------------------------------------------------------------

WALK = [
    declared("smtp"),
    declared("smtp", "submissions"),
    declared("smtp", "submission", absent=("submissions",)),
    declared("submission", "submissions", absent=("smtp",)),
    declared("smtp", "submissions", absent=("submission",)),
    declared("submission", "submissions", "smtp"),
    declared("smtp", absent=("submission", "submissions")),
]


@dataclass(frozen=True)
class Step:
    before: set[str]
    after: set[str]
    play: Play
    again: Play
    connected: dict[str, int]  # how many connections strangers got meanwhile, by service
    expecting: dict[str, set[str]]  # by service, what its listeners answer to what is no header


@pytest.fixture(scope="module")
def walk(story: Story) -> list[Step]:
    lab, steps = story.lab, []
    before = set(PORTS)
    for variables in WALK:
        entries = variables["smtp_load_balancer_services"]
        after = {entry["name"] for entry in entries if entry["state"] == "present"}
        # What is merely gone from the list goes on serving.
        after |= before - {entry["name"] for entry in entries}
        stop = insist(lab, strangers(lab))
        play = apply(lab, SMTP, variables)
        reached = connected(stop())
        steps.append(Step(before, after, play, apply(lab, SMTP, variables), reached, expecting(lab)))
        before = after
    return steps


def strangers(lab: Lab) -> list[Order]:
    """Who tries to relay, straight to each port of each host: with a forged header of each kind, and with none."""
    return [
        Order(CLIENTS[0], lab.address(host), (*words(name, header), r"DATA\r\n"), port)
        for host in lab.backends
        for name, port in PORTS.items()
        for header in ("", *HEADERS.values())
    ]


def connected(tried: list[Tried]) -> dict[str, int]:
    """By service, how many connections strangers got; not one of them may have relayed."""
    assert all(each.tries > 10 for each in tried), tried
    assert not any(is_relayed(each.heard) for each in tried), tried
    return {
        name: sum(each.tries - each.refused for each in tried if each.order.port == port)
        for name, port in PORTS.items()
    }


def expecting(lab: Lab) -> dict[str, set[str]]:
    found = {}
    for name, port in PORTS.items():
        orders = [Order(natip(lab), lab.address(host), (r"QUIT\r\n",), port) for host in lab.backends]
        found[name] = {answers[0][:3] if answers else "" for answers in converse(lab, "balancer", orders)}
    return found


@pytest.mark.long
def test_each_step_succeeds_and_changes_nothing_more(walk: list[Step]) -> None:
    for step in walk:
        require(step.play)
        assert step.again.is_idle, step.again.output


@pytest.mark.long
def test_exactly_the_declared_ports_expect_a_header(walk: list[Step]) -> None:
    for step in walk:
        told = {name for name, codes in step.expecting.items() if codes == {"421"}}
        assert told == step.after, step.expecting


@pytest.mark.long
def test_no_port_was_open_to_a_stranger_in_between(walk: list[Step]) -> None:
    for step in walk:
        opened = {name for name in step.before & step.after if step.connected[name]}
        assert not opened, step.connected
        # The stranger does reach what is not behind the load balancer, so its tries say something.
        free = set(PORTS) - step.before - step.after
        assert all(step.connected[name] for name in free)


def test_what_is_gone_from_the_list_serves_on_and_the_report_names_it(story: Story, tmp_path: Path) -> None:
    lab = story.lab
    require(apply(lab, SMTP, ALL))
    require(apply(lab, SMTP, declared("smtp")))
    answer = lab.send(CLIENTS[1], "forgotten", port="587", login=LOGIN)
    assert answer["accepted"], answer
    report = apply(lab, DRIFT, declared("smtp", drift_report_dir=str(tmp_path)))
    assert report.status == 0, report.output
    found = json.loads((tmp_path / "drift.json").read_text())
    named = {(finding["where"], finding["object"]) for finding in found["findings"]}
    assert ("load balancer", "farm tcp/all/submission") in named
    assert ("backend1", "listener submission/inet") in named
    require(apply(lab, SMTP, ALL))


# One host at a time --------------------------------------------------------------------------------------------------


def active(lab: Lab) -> dict[str, set[str]]:
    """By service, the addresses that get its mail."""
    found: dict[str, set[str]] = {}
    for number in lab.api("GET", "{service}/tcp/farm"):
        farm = f"{{service}}/tcp/farm/{number}"
        servers = [lab.api("GET", f"{farm}/server/{server}") for server in lab.api("GET", f"{farm}/server")]
        name = lab.api("GET", farm)["displayName"]
        found[name] = {server["address"] for server in servers if server["status"] == "active"}
    return found


def test_maintenance_takes_a_host_out_of_all_its_farms(story: Story, tmp_path: Path) -> None:
    lab = story.lab
    (tmp_path / "tasks.yml").write_text("- name: Fail\n  ansible.builtin.command: 'false'\n")
    arguments = {**ALL, "maintenance_tasks": str(tmp_path / "tasks.yml")}
    failed = apply(lab, MAINTENANCE, arguments, "--limit", "backend1")
    assert failed.status != 0
    assert active(lab) == {name: {lab.address("backend2")} for name in PORTS}
    (tmp_path / "tasks.yml").write_text("- name: Succeed\n  ansible.builtin.command: 'true'\n")
    require(apply(lab, MAINTENANCE, arguments, "--limit", "backend1"))
    assert active(lab) == {name: {lab.address(host) for host in lab.backends} for name in PORTS}


def test_a_host_in_the_farm_of_an_absent_service_is_not_touched(story: Story, tmp_path: Path) -> None:
    """The load balancer goes on sending it mail on that port, while its tasks run."""
    lab = story.lab
    (tmp_path / "tasks.yml").write_text("- name: Fail\n  ansible.builtin.command: 'false'\n")
    gone = declared(*PORTS)
    gone["smtp_load_balancer_services"][1]["state"] = "absent"
    gone["maintenance_tasks"] = str(tmp_path / "tasks.yml")
    refused = apply(lab, MAINTENANCE, gone, "--limit", "backend1")
    assert refused.status != 0
    assert "in the farm of submission, which is declared absent" in " ".join(refused.output.split())
    assert active(lab) == {name: {lab.address(host) for host in lab.backends} for name in PORTS}


def test_a_service_is_rolled_out_alone_and_not_past_the_others(story: Story) -> None:
    lab = story.lab
    versions = declared(*PORTS)
    for entry in versions["smtp_load_balancer_services"]:
        entry["proxy_protocol_version"] = "v2" if entry["name"] == "submission" else "v1"
    alone = require(apply(lab, ROLLOUT, {**versions, "smtp_load_balancer_only": ["submission"]}))
    assert any(alone.changed.values())
    live = lab.simulator("GET", "live")["gra"]["tcp/server"]
    assert sorted(server["proxyProtocolVersion"] for server in live) == ["v1"] * 4 + ["v2"] * 2
    off = declared(*PORTS, smtp_load_balancer_proxy_protocol_version=None)
    refused = apply(lab, ROLLOUT, {**off, "smtp_load_balancer_only": ["submission"]})
    assert refused.status != 0
    assert "for smtp, submissions, to which" in " ".join(refused.output.split())
    assert expecting(lab) == {port: {"421"} for port in PORTS}, "Postfix was changed all the same"
    require(apply(lab, ROLLOUT, ALL))


@pytest.mark.long
@pytest.mark.parametrize("name", ["rollout", "maintenance"])
def test_no_mail_of_any_service_is_lost_or_doubled(
    story: Story, name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """From v1 to v2, and then a restart of Postfix on each host, with strangers and users sending all the time."""
    (tmp_path / "restart.yml").write_text("- name: Restart\n  ansible.builtin.command: systemctl restart postfix\n")
    variables = {**ALL, "smtp_load_balancer_proxy_protocol_version": "v2", "smtp_load_balancer_wait_timeout": 60}
    extra = {"rollout": {}, "maintenance": {"maintenance_tasks": str(tmp_path / "restart.yml")}}[name]
    done = under_load(
        story.lab,
        name,
        {"rollout": ROLLOUT, "maintenance": MAINTENANCE}[name],
        *("-e", json.dumps({**variables, **extra})),
        services=("25", "587:starttls", "465:implicit"),
        rate=100,
    )
    record_property(MEASURED, f"{done.summary()}, logins cut: {done.load['logins_cut']}")
    require(done.play)
    assert len(done.load["accepted"]) >= MESSAGES
    assert not done.load["refused"]
    assert done.delivered == Counter(done.load["accepted"]), done.summary()
    assert not done.load["abnormal"], done.load["abnormal"][:10]


def test_a_teardown_takes_all_services_away(story: Story) -> None:
    lab = story.lab
    gone = require(apply(lab, TEARDOWN, ALL))
    assert "kept, disabled, with an empty farm" in " ".join(gone.output.split())
    assert not any("421" in codes for codes in expecting(lab).values())
    for host in lab.backends:
        assert "upstream_proxy_protocol" not in lab.shell(host, "postconf -n; postconf -P")
        assert "mailops" not in lab.shell(host, "nft list ruleset")
