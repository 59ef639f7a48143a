# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on backends behind the load balancer, and the legitimate use that must not suffer from the guards.

``backend1`` has smtpd on port 25, ``backend2`` postscreen. Both trust loopback and a partner by their address in
``mynetworks``, and loopback with XCLIENT and XFORWARD, as many hosts do: what a forged header would exploit.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .backend import (
    PARTNER,
    RECORDS,
    SMTPD,
    TRUSTED,
    Order,
    apply,
    converse,
    describe,
    every,
    fresh_lab,
    install,
    prepare,
    reboot,
    received_from,
)
from .conftest import CLIENTS, SMTP
from .driver import SERVICE_ADDRESS, Lab, Play, await_result
from .forged import FORGED, MAIL, THROUGH, VICTIM, is_relayed, reply_to

GUARD = ("mynetworks", "smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts")
BOTH = {"postfix_backend_trusted_clients": [TRUSTED]}


@dataclass(frozen=True)
class World:
    lab: Lab
    before: dict[str, str]
    """What there was on each host that the role could change."""
    cut_off: Play
    """The role on hosts where senders would be cut off."""
    after_cut_off: dict[str, str]
    check: Play
    first: Play
    second: Play


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with fresh_lab("guard") as lab:
        every(lab, prepare)
        lab.shell("backend2", POSTSCREEN)
        yield World(
            lab,
            before={host: describe(lab, host) for host in lab.backends},
            cut_off=apply(lab, SMTP),
            after_cut_off={host: describe(lab, host) for host in lab.backends},
            check=apply(lab, SMTP, BOTH, "--check", "--diff"),
            first=apply(lab, SMTP, BOTH),
            second=apply(lab, SMTP, BOTH),
        )


POSTSCREEN = """
postconf -M smtp/inet='smtp inet n - y - 1 postscreen' smtpd/pass='smtpd pass - - y - - smtpd' \
    dnsblog/unix='dnsblog unix - - y - 0 dnsblog' tlsproxy/unix='tlsproxy unix - - y - 0 tlsproxy'
systemctl restart postfix
"""


def test_senders_by_address_are_not_cut_off_in_silence(world: World) -> None:
    assert world.cut_off.status != 0
    assert world.cut_off.failed == dict.fromkeys(world.lab.backends, 1)
    assert PARTNER in world.cut_off.output
    assert "postfix_backend_trusted_clients" in world.cut_off.output
    assert world.after_cut_off == world.before


def test_the_check_of_fresh_hosts_tells_the_truth(world: World) -> None:
    assert world.check.status == 0, world.check.output
    for fact in (
        "+table inet mailops_ovh_iplb {",
        "+smtp_upstream_proxy_protocol = haproxy",
        "+\t\ttcp dport 25 ip saddr ",
    ):
        assert fact in world.check.output
    assert changes(world.check, "Admit only", "Configure Postfix") == changes(
        world.first, "Admit only", "Configure Postfix"
    )


def changes(play: Play, *tasks: str) -> set[tuple[str, str]]:
    """(task, host) of what changed."""
    sections = re.split(r"^TASK \[", play.output, flags=re.M)
    return {
        (task, host)
        for section in sections
        for task in tasks
        if task in section.partition("]")[0]
        for host in re.findall(r"^changed: \[(\S+?)\]", section, re.M)
    }


def test_the_first_run_changes_and_the_second_does_not(world: World) -> None:
    assert world.first.status == 0, world.first.output
    assert {host for dummy, host in changes(world.first, "Admit only", "Configure Postfix")} == set(world.lab.backends)
    assert world.second.status == 0, world.second.output
    assert world.second.is_idle, world.second.output


# Legitimate use ------------------------------------------------------------------------------------------------------


def test_mail_through_the_balancer_shows_the_client_in_log_policy_and_received(world: World) -> None:
    lab, seen = world.lab, set()
    for number in range(6):
        subject = f"legitimate {number}"
        host, received = received_from(lab, CLIENTS[0], subject, sender=f"{number}@sender.example")
        seen.add(host)
        assert f"[{CLIENTS[0]}]" in received
        assert f"{number}@sender.example {CLIENTS[0]}\n" in lab.shell(host, "cat /var/log/policy.log")
        assert re.search(rf"client=\S*\[{re.escape(CLIENTS[0])}\]", lab.shell(host, "cat /var/log/mail.log"))
    assert seen == set(lab.backends)


@pytest.mark.parametrize("host", ["backend1", "backend2"])
def test_submission_sendmail_and_reinjection_need_no_header(world: World, host: str) -> None:
    lab = world.lab
    answer = lab.send(CLIENTS[0], f"submitted {host}", lab.address(host), port="587", login="alice:alice-password")
    assert answer["accepted"], answer["reply"]
    lab.shell(host, f"printf 'Subject: local {host}\\n\\nx\\n' | sendmail -f root@example.test alice@example.test")
    lab.run(host, "python3", "-c", REINJECT, f"reinjected {host}")
    for subject in ("submitted", "local", "reinjected"):
        await_result(lambda subject=subject: lab.find(f"{subject} {host}"))  # type: ignore[misc]


REINJECT = """
import smtplib, sys
smtplib.SMTP("127.0.0.1", 10026).sendmail("a@example.test", ["alice@example.test"], f"Subject: {sys.argv[1]}\\n\\nx")
"""


# The attacks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    name: str
    place: str
    """Where from: client, or the load balancer's own address."""
    host: str
    words: tuple[str, ...]

    @property
    def is_direct(self) -> bool:
        return self.place == "client" and self.host != SERVICE_ADDRESS


def attacks(lab: Lab, from_balancer: bool, without: tuple[str, ...] = ()) -> list[Attack]:
    table = [
        Attack(f"{name}, {host}", "client", lab.address(host), words)
        for name, words in FORGED.items()
        for host in lab.backends
    ]
    table += [
        Attack(f"{name}, through the service", "client", SERVICE_ADDRESS, words) for name, words in THROUGH.items()
    ]
    if from_balancer:
        table += [
            Attack(f"{name}, {host}, from natIp", "balancer", lab.address(host), words)
            for name, words in FORGED.items()
            for host in lab.backends
            if name not in without
        ]
    return table


def carry_out(lab: Lab, table: list[Attack]) -> dict[str, list[str]]:
    """The answers to each attack, by name."""
    sources = {"client": CLIENTS[1], "balancer": lab.status["source_addresses"]["gra"]}
    answers: dict[str, list[str]] = {}
    for place, source in sources.items():
        here = [attack for attack in table if attack.place == place]
        said = converse(lab, place, [Order(source, attack.host, attack.words) for attack in here])
        answers.update(zip((attack.name for attack in here), said, strict=True))
    return answers


@dataclass(frozen=True)
class Outcome:
    lab: Lab
    guards: str
    table: list[Attack]
    answers: dict[str, list[str]]
    log: str
    """What the hosts logged meanwhile."""
    queues: str
    still_answers: dict[str, str]
    """By subject, the Received line of mail that came afterwards."""


def without_firewall(lab: Lab) -> None:
    played = apply(lab, SMTP, {"postfix_backend_trusted_clients": [], "postfix_backend_firewall": "none"})
    assert played.status == 0, played.output


def without_postfix_guard(lab: Lab) -> None:
    """Take the overrides of the Postfix guard away by hand."""
    for host in lab.backends:
        lab.shell(
            host, f"for s in smtp/inet smtpd/pass; do for p in {' '.join(GUARD)}; do postconf -PX $s/$p; done; done"
        )
        lab.shell(host, "postfix reload; postconf -P")


GUARDS = ("both on", "Postfix guard off", "firewall off")


@pytest.fixture(scope="module", params=GUARDS)
def outcome(world: World, request: pytest.FixtureRequest) -> Outcome:
    lab, guards = world.lab, str(request.param)
    if guards == "both on":
        table = attacks(lab, True, without=("v1 as a trusted partner", "v2 as a trusted partner"))
    elif guards == "Postfix guard off":
        without_postfix_guard(lab)
        table = attacks(lab, False)
    else:
        without_firewall(lab)
        table = attacks(lab, True)
    lengths = {host: int(lab.shell(host, "wc -c < /var/log/mail.log")) for host in lab.backends}
    answers = carry_out(lab, table)
    after = [received_from(lab, CLIENTS[0], f"after the attacks, {guards}, {number}") for number in range(4)]
    return Outcome(
        lab,
        guards,
        table,
        answers,
        log="".join(lab.shell(host, f"tail -c +{length} /var/log/mail.log") for host, length in lengths.items()),
        queues="".join(lab.shell(host, "postqueue -p") for host in lab.backends),
        still_answers=dict(after),
    )


def test_nothing_is_relayed(outcome: Outcome) -> None:
    granted = {name: answers for name, answers in outcome.answers.items() if is_relayed(answers)}
    assert granted == {}
    assert VICTIM not in outcome.queues
    assert f"to=<b@{VICTIM}>, relay=" not in outcome.log


def test_the_firewall_lets_nobody_but_the_balancer_in(outcome: Outcome) -> None:
    direct = {attack.name: outcome.answers[attack.name] for attack in outcome.table if attack.is_direct}
    refused = {name for name, answers in direct.items() if answers == ["(ConnectionRefusedError)"]}
    assert refused == (set() if outcome.guards == "firewall off" else set(direct))


def test_postfix_takes_a_claim_for_a_stranger(outcome: Outcome) -> None:
    """Where an attack reaches Postfix at all, it is refused there, and not by accident: the session went on to RCPT."""
    reaching = ("v1 as loopback", "v2 as loopback", "v1 as a member of mynetworks", "v2 LOCAL", "XCLIENT as loopback")
    for attack in outcome.table:
        name = attack.name.partition(",")[0]
        if (
            name not in reaching
            or attack.host == SERVICE_ADDRESS
            or (attack.is_direct and outcome.guards != "firewall off")
        ):
            continue
        answers = outcome.answers[attack.name]
        recipient = attack.words.index(MAIL[2])
        assert reply_to(answers, 0) == "220", (attack.name, answers)
        assert reply_to(answers, recipient) in ("454", "554"), (attack.name, answers)
        if name.startswith("XCLIENT"):
            assert reply_to(answers, 2)[0] == "5", (attack.name, answers)


def test_no_process_of_postfix_died(outcome: Outcome) -> None:
    assert not re.search(r"fatal:|panic:|killed by signal|bad command startup|throttling", outcome.log), outcome.log


def test_mail_still_comes_with_the_right_address(outcome: Outcome) -> None:
    assert outcome.still_answers
    assert all(f"[{CLIENTS[0]}]" in received for received in outcome.still_answers.values())


def test_without_either_guard_the_attack_is_real(world: World) -> None:
    """The attacks above fail because of the guards: with none, the same words relay."""
    without_firewall(world.lab)
    without_postfix_guard(world.lab)
    name = "v1 as loopback"
    table = [Attack(host, "client", world.lab.address(host), FORGED[name]) for host in world.lab.backends]
    answers = carry_out(world.lab, table)
    world.lab.shell("backend1", "postsuper -d ALL")
    world.lab.shell("backend2", "postsuper -d ALL")
    assert all(reply_to(said, 3) == "250" for said in answers.values()), answers


# Drift and other rules -----------------------------------------------------------------------------------------------


def test_drift_of_the_firewall_is_shown_and_corrected(world: World) -> None:
    lab = world.lab
    assert apply(lab, SMTP, BOTH).status == 0
    lab.shell("backend1", "nft flush table inet mailops_ovh_iplb")
    lab.shell("backend2", "echo '# by hand' >> /etc/mailops-ovh-iplb.nft; systemctl disable mailops-ovh-iplb.service")
    shown = apply(lab, SMTP, BOTH, "--check", "--diff")
    assert changes(shown, "Admit only") == {("Admit only", "backend1"), ("Admit only", "backend2")}, shown.output
    assert "-# by hand" in shown.output
    assert reaches(lab, "backend1")
    corrected = apply(lab, SMTP, BOTH)
    assert corrected.status == 0, corrected.output
    assert not reaches(lab, "backend1")


def reaches(lab: Lab, host: str, port: int = 25, place: str = "client") -> bool:
    script = f"import socket; socket.create_connection(('{lab.address(host)}', {port}), 5)"
    return lab.run(place, sys.executable, "-c", script, check=False).returncode == 0


def test_an_empty_answer_of_the_api_changes_nothing(world: World) -> None:
    lab = world.lab
    body = {"method": "GET", "path": ".*/natIp", "status": 200, "body": [], "count": 10}
    lab.simulator("POST", "faults", body)
    played = apply(lab, SMTP, BOTH)
    lab.simulator("DELETE", "faults")
    assert played.status != 0
    assert "natIp" in played.output
    assert not any(played.changed.values())
    assert not reaches(lab, "backend1")


def test_the_guard_survives_nftables_service_and_a_reboot_and_leaves_other_rules_alone(world: World) -> None:
    lab, host = world.lab, "backend1"
    rules = "flush ruleset\ntable inet admin {\n\tchain input {\n\t\ttcp dport 9 drop\n\t}\n}\n"
    lab.shell(host, f"printf '{rules}' > /etc/nftables.conf; systemctl start nftables")
    for verb in ("start", "restart", "reload", "stop", "start"):
        lab.shell(host, f"systemctl {verb} nftables")
        if verb != "stop":
            await_result(lambda: not reaches(lab, host), 5)
            assert "table inet admin" in lab.shell(host, "nft list tables")
    lab.shell(host, "systemctl enable nftables")
    again = apply(lab, SMTP, BOTH)
    assert again.is_idle, again.output
    reboot(lab, host)
    await_result(lambda: lab.shell(host, "postfix status && echo up", check=False))
    assert not reaches(lab, host)
    assert "table inet admin" in lab.shell(host, "nft list tables")
    assert received_from(lab, CLIENTS[0], "after the reboot")


def test_trusting_an_address_without_a_firewall_is_refused(world: World) -> None:
    played = apply(world.lab, SMTP, {**BOTH, "postfix_backend_firewall": "none"})
    assert played.status != 0
    assert "without a firewall everybody" in played.output
    assert not any(played.changed.values())


# Off again, and on a port of its own ---------------------------------------------------------------------------------


def test_off_boarding_leaves_what_was_there(world: World) -> None:
    lab = world.lab
    lab.shell("backend1", "systemctl disable --now nftables")
    left = apply(lab, "playbooks/teardown.yml", BOTH)
    assert left.status == 0, left.output
    for host in lab.backends:
        assert describe(lab, host) == world.before[host]


def test_a_port_of_its_own_leaves_port_25_to_direct_clients(world: World) -> None:
    """One variable: the entry of master.cf, the firewall and the farm's port follow."""
    lab = world.lab
    own = {**BOTH, "postfix_backend_listener": "10025/inet", "allow_cutover": True}
    first = apply(lab, SMTP, own)
    assert first.status == 0, first.output
    again = apply(lab, SMTP, own)
    assert again.is_idle, again.output
    for host in lab.backends:
        direct = lab.send(CLIENTS[1], f"direct {host}", lab.address(host))
        assert direct["accepted"], direct["reply"]
        lab.run(host, "python3", "-c", REINJECT.replace("10026", "25"), f"program {host}")
        assert not reaches(lab, host, 10025)
        await_result(lambda host=host: lab.find(f"program {host}"))  # type: ignore[misc]
    host, received = received_from(lab, CLIENTS[0], "by the port of its own")
    assert f"[{CLIENTS[0]}]" in received
    assert "postfix/balancer/smtpd" in lab.shell(host, "cat /var/log/mail.log")
    left = apply(lab, "playbooks/teardown.yml", own)
    assert left.status == 0, left.output
    for host in lab.backends:
        assert describe(lab, host) == world.before[host]


# Cut between any two steps -------------------------------------------------------------------------------------------


def test_a_forged_header_between_any_two_steps_does_not_relay(world: World) -> None:
    """No firewall, and a run that is killed after every single step, on the way in and on the way out."""
    lab = world.lab
    install(lab, SMTPD)
    words = {name: FORGED[name] for name in ("v1 as loopback", "v2 as a member of mynetworks", "v2 LOCAL")}
    table = [Attack(name, "client", lab.address(SMTPD), said) for name, said in words.items()]
    steps = []
    for wanted in ("on", "off"):
        lab.shell(SMTPD, "rm -rf /root/start; cp -a /etc/postfix /root/start")
        for count in range(20):
            step = cut(lab, wanted, str(count))
            if not step:
                break
            steps.append(f"{wanted}: {step}")
            answers = carry_out(lab, table)
            for name, said in answers.items():
                assert not any(answer.startswith(("250 2.1.5", "354")) for answer in said), (steps[-1], name, said)
            assert {said[0][:3] for said in answers.values()} & {"220", "554"}, (steps[-1], answers)
            lab.shell(SMTPD, f"rm -f {RECORDS}; cp -a /root/start/. /etc/postfix; postfix reload")
        cut(lab, wanted)
    assert len(steps) >= 14, steps
    assert describe(lab, SMTPD) == world.before[SMTPD]


def cut(lab: Lab, wanted: str, steps: str = "") -> str:
    """Run the Postfix transaction, or its first steps; the name of the step after which it was killed."""
    words = ["/root/cut/cut.py", "smtp/inet", wanted, *([steps] if steps else [])]
    done = lab.run(SMTPD, "env", "PYTHONPATH=/root/cut", "python3", *words, check=False)
    assert done.returncode in (0, -9, 137), done.stderr
    return done.stdout.strip()
