# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PROXY header of version 2 with the command LOCAL, and then a reset: it takes the smtpd down that reads it.

Any client that reaches a listener can send it, whatever the load balancer sends. Before Postfix 3.11 the firewall is
all that keeps clients from it, and where there is none, the operator is told.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .backend import Order, Tried, apply, every, fresh_lab, insist, prepare
from .conftest import CLIENTS, MEASURED, SMTP
from .driver import HERE, SERVICE_ADDRESS, Lab, await_result
from .test_rollout import delivered
from .test_services import ALL, DRIFT, LOCAL, PORTS, add_submissions, require

EXPOSED = {**ALL, "postfix_backend_firewall": "none"}
# What the services of PORTS call themselves in the log.
LOGGED = ("postfix/smtpd", "postfix/submission/smtpd", "postfix/submissions/smtpd")
DEATH, THROTTLED = "fatal: smtpd_peer_hostaddr_to_sockaddr", "bad command startup -- throttling"
SERVICES = ("25", "587:starttls", "465:implicit")
MESSAGES, RATE = 300, 30  # at least, and in a second

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with fresh_lab("local") as lab:
        every(lab, prepare)
        every(lab, add_submissions)
        require(apply(lab, SMTP, ALL))
        yield lab


class Attack:
    """Somebody resets connections to each port of each host, again and again, until it is stopped."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._begun = {host: int(lab.shell(host, "wc -c < /var/log/mail.log")) for host in lab.backends}
        words = (f"{LOCAL}<unanswered>", "<reset>")
        targets = [(lab.address(host), port) for host in lab.backends for port in PORTS.values()]
        self._stop = insist(lab, [Order(CLIENTS[1], address, words, port) for address, port in targets])

    def stop(self) -> list[Tried]:
        tried = self._stop()
        assert all(each.tries > 10 for each in tried), tried
        return tried

    def log(self, host: str) -> str:
        return self.lab.shell(host, f"tail -c +{self._begun[host] + 1} /var/log/mail.log")

    def deaths(self) -> int:
        return sum(self.log(host).count(DEATH) for host in self.lab.backends)

    def has_taken_all_down(self) -> bool:
        """Whether each service died on each host, and master waits before it starts another smtpd."""
        logs = [self.log(host) for host in self.lab.backends]
        return all(
            THROTTLED in log and all(re.search(rf"{name}\[\d+\]: {DEATH}", log) for name in LOGGED) for log in logs
        )


def send_mail(lab: Lab, run: str) -> Callable[[], dict[str, Any]]:
    """Send mail to all services, until the result is called and all of it was accepted; what load.py says."""
    options = ("--run", run, "--messages", str(MESSAGES), "--rate", str(RATE), "--sources", CLIENTS[0])
    words = ("--host", SERVICE_ADDRESS, *options, "--services", *SERVICES)
    load = lab.start("client", sys.executable, HERE / "load.py", *words)
    return lambda: json.loads(load.communicate()[0])


def test_behind_the_firewall_mail_flows_on_all_the_time(lab: Lab, record_property: Record) -> None:
    attack = Attack(lab)
    load = send_mail(lab, "guarded")()
    tried = attack.stop()
    record_property(MEASURED, f"{sum(each.tries for each in tried)} resets refused, {said(load)}")
    assert all(each.refused == each.tries for each in tried), tried
    assert not attack.deaths()
    assert not load["abnormal"], load["abnormal"][:10]
    assert delivered(lab, "guarded") == Counter(load["accepted"])


def said(load: dict[str, Any]) -> str:
    return f"{len(load['accepted'])} messages in {load['seconds']} s, abnormal sessions: {len(load['abnormal'])}"


def test_without_a_firewall_the_operator_is_told(lab: Lab, tmp_path: Path) -> None:
    """By the role, in each run, and by the drift report."""
    for dummy in range(2):
        play = require(apply(lab, SMTP, EXPOSED))
        text = " ".join(play.output.split())
        assert "whoever reaches smtp/inet, submission/inet, submissions/inet can take it down" in text
    require(apply(lab, DRIFT, {**EXPOSED, "drift_report_dir": str(tmp_path)}))
    findings = json.loads((tmp_path / "drift.json").read_text())["findings"]
    missing = {
        item["where"]: item["note"] for item in findings if (item["object"], item["kind"]) == ("firewall", "missing")
    }
    assert set(missing) == set(lab.backends)
    assert all("the command LOCAL" in note for note in missing.values()), missing


@pytest.mark.long
def test_without_a_firewall_it_is_shown_and_recovers(lab: Lab, record_property: Record) -> None:
    """All services die on all hosts; mail waits, and none of it is lost."""
    require(apply(lab, SMTP, EXPOSED))
    attack = Attack(lab)
    finish = send_mail(lab, "exposed")
    try:
        await_result(attack.has_taken_all_down, 60)
    finally:
        tried, ended = attack.stop(), time.monotonic()
        load = finish()
    seconds = time.monotonic() - ended
    tries = sum(each.tries for each in tried)
    record_property(
        MEASURED, f"{tries} resets, smtpd died {attack.deaths()} times, all sent {seconds:.0f} s later; {said(load)}"
    )
    assert not load["refused"]
    assert set(delivered(lab, "exposed")) == set(load["accepted"])
