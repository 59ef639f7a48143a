# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts whose master.cf and main.cf are not as Debian ships them: what would lose mail there is refused in check mode,
and with what is advised instead the listener serves, and no attack relays. There is no firewall: Postfix is on its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .backend import SMTPD, Order, converse, describe, fresh_lab, install, prepare
from .conftest import CLIENTS
from .driver import Lab
from .forged import FORGED, is_relayed, reply_to


@dataclass(frozen=True)
class Layout:
    """A host as somebody made it."""

    edit: str
    """Makes it, in /etc/postfix."""
    asked: str
    """The listener that must not be there."""
    refusal: str
    listener: str
    """The listener that the advice leads to."""
    mend: str = ""
    """What the advice asks for first."""


RENAME = "sed -i 's/^smtp  *inet/{} inet/' master.cf"
SECOND = "printf '{} inet n - y - - smtpd\\n    -o syslog_name=postfix/second\\n' >> master.cf"
LAYOUTS = {
    "port 25 is written 25": Layout(RENAME.format("25"), "smtp/inet", "25/inet serves that port", "25/inet"),
    "port 25 has an address": Layout(
        RENAME.format("192.0.2.11:smtp"), "smtp/inet", "192.0.2.11:smtp/inet serves that port", "192.0.2.11:smtp/inet"
    ),
    "port 25 twice, under two names": Layout(
        SECOND.format("25"),
        "smtp/inet",
        "would both listen on every address port 25",
        "smtp/inet",
        "postconf -MX 25/inet",
    ),
    "port 25 twice, once with an address": Layout(
        SECOND.format("192.0.2.11:25"),
        "smtp/inet",
        "would both listen on",
        "smtp/inet",
        "postconf -MX 192.0.2.11:25/inet",
    ),
    "port 25 twice, under one name": Layout(
        SECOND.format("smtp"),
        "smtp/inet",
        "more than once|2 entries smtp/inet",
        "smtp/inet",
        "head -n -2 master.cf > m; cat m > master.cf; rm m",
    ),
    "a filter returns mail to 10025": Layout(
        SECOND.format("127.0.0.1:10025"), "10025/inet", "127.0.0.1:10025/inet serves that port", "smtp/inet"
    ),
    "10025 over IPv6": Layout(
        SECOND.format("[::]:10025"), "10025/inet", r"\[::\]:10025/inet serves that port", "smtp/inet"
    ),
    "hardened": Layout(
        "postconf -e inet_interfaces=loopback-only",
        "smtp/inet",
        "sends to 192.0.2.11, where smtp/inet does not listen: inet_interfaces = loopback-only",
        "smtp/inet",
        "postconf -e inet_interfaces=all; systemctl restart postfix",
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with fresh_lab("layout", backends=1) as lab:
        prepare(lab, SMTPD)
        install(lab, SMTPD)
        lab.shell(SMTPD, "cp -a /etc/postfix /root/start")
        yield lab


@pytest.fixture
def host(lab: Lab) -> Iterator[Lab]:
    """The lab, whose host is what it was again afterwards."""
    yield lab
    lab.shell(SMTPD, "rm -f /etc/postfix/.mailops*; cp -a /root/start/. /etc/postfix; systemctl restart postfix")


def make(lab: Lab, edit: str) -> None:
    lab.shell(SMTPD, f"cd /etc/postfix; {edit}\nsystemctl restart postfix")


def listen(lab: Lab, *services: str, state: str = "on", **options: Any) -> dict[str, Any]:
    listener = {"present": state == "on", "server_address": lab.address(SMTPD)}
    wanted = {"listeners": [{"service": service, **listener} for service in services], **options}
    words = ["env", "PYTHONPATH=/root/cut", "python3", "/root/cut/listen.py", json.dumps(wanted)]
    result: dict[str, Any] = json.loads(lab.run(SMTPD, *words).stdout)
    return result


def attack(lab: Lab) -> dict[str, list[str]]:
    orders = [Order(CLIENTS[1], lab.address(SMTPD), words) for words in FORGED.values()]
    return dict(zip(FORGED, converse(lab, "client", orders), strict=True))


def relayed(answers: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: said for name, said in answers.items() if is_relayed(said)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_mail_goes_astray_and_none_is_relayed_beside(host: Lab, name: str) -> None:
    layout = LAYOUTS[name]
    make(host, layout.edit)
    before = describe(host, SMTPD)
    assert re.search(layout.refusal, listen(host, layout.asked, check=True).get("error", "")), "it was not refused"
    assert describe(host, SMTPD) == before

    host.shell(SMTPD, f"cd /etc/postfix; {layout.mend or 'true'}")
    mended = describe(host, SMTPD)
    assert "error" not in listen(host, layout.listener)
    answers = attack(host)
    assert relayed(answers) == {}
    # It was refused for the claim, and not by accident.
    assert (reply_to(answers["v1 as loopback"], 0), reply_to(answers["v1 as loopback"], 3)) == ("220", "454")
    assert reply_to(answers["no header, speaks"], 0) == "421"
    assert "error" not in listen(host, layout.listener, state="off")
    assert describe(host, SMTPD) == mended


def test_an_address_that_no_restart_has_brought_is_no_success(host: Lab) -> None:
    """Every proof on the loopback passes, and no connection of the load balancer arrives."""
    make(host, "postconf -e inet_interfaces=loopback-only")
    host.shell(SMTPD, "postconf -e inet_interfaces=all")
    error = listen(host, "smtp/inet", apply="reload")["error"]
    assert re.search(r"smtp/inet \(192\.0\.2\.11 port 25\).*The previous files are back", error)
    assert "error" not in listen(host, "smtp/inet")


def test_a_header_that_main_cf_asks_for_everywhere_loses_no_mail(host: Lab) -> None:
    """The line of most how-tos, with a listener on top of it, and without."""
    make(host, "postconf -e smtpd_upstream_proxy_protocol=haproxy")
    (said,) = [text for text in listen(host, "smtp/inet")["warnings"] if "because of main.cf line" in text]
    assert "submission/inet" in said
    assert "127.0.0.1:10026/inet" in said
    assert relayed(attack(host)) == {}

    before = describe(host, SMTPD)
    error = listen(host, "smtp/inet", state="off", check=True)["error"]
    assert re.search(r"would go on expecting a PROXY header.*main\.cf line \d+, smtpd_upstream_proxy_protocol", error)
    assert describe(host, SMTPD) == before

    host.shell(SMTPD, "postconf -X smtpd_upstream_proxy_protocol")
    assert listen(host, "smtp/inet", state="off") == {"warnings": [], "apply": "restart"}
    answers = attack(host)
    assert relayed(answers) == {}
    # Who speaks before the greeting is refused for that by Postfix 3.9 and later.
    assert reply_to(answers["no header, waits"], 3) == "454"
