# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three services that come one by one, and go one by one, in every order, while a stranger tries all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any

import pytest

from .backend import apply, every, fresh_lab, insist, prepare
from .conftest import CLIENTS, MEASURED, SMTP
from .driver import SERVICE_ADDRESS, Lab
from .test_services import (
    LOGIN,
    PORTS,
    add_submissions,
    connected,
    declared,
    expecting,
    require,
    strangers,
)

ORDERS = list(permutations(PORTS))
MAIL: dict[str, dict[str, str]] = {
    "smtp": {},
    "submission": {"login": LOGIN, "tls": "starttls"},
    "submissions": {"login": LOGIN, "tls": "implicit"},
}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Hosts that no playbook met yet: each order starts and ends without a service."""
    with fresh_lab("orders") as lab:
        every(lab, prepare)
        every(lab, add_submissions)
        yield lab


@pytest.mark.parametrize(("come", "go"), list(zip(ORDERS, reversed(ORDERS), strict=True)), ids="-".join)
def test_services_come_and_go_one_by_one(
    lab: Lab, come: Sequence[str], go: Sequence[str], record_property: Callable[[str, object], None]
) -> None:
    tries = 0
    for number, name in enumerate(come):
        tries += step(lab, set(come[:number]), {*come[:number], name}, declared(*come[: number + 1]))
    assert apply(lab, SMTP, declared(*PORTS)).is_idle
    for number, name in enumerate(go):
        left = set(go[number + 1 :])
        tries += step(lab, {*left, name}, left, declared(*left, absent=(name,)))
    assert apply(lab, SMTP, declared(absent=go)).is_idle
    record_property(MEASURED, f"{tries} tries of strangers")


def step(lab: Lab, before: set[str], after: set[str], variables: dict[str, Any]) -> int:
    """From the services before to those after; how often strangers tried meanwhile."""
    stop = insist(lab, strangers(lab))
    play = apply(lab, SMTP, variables)
    tried = stop()
    require(play)
    reached = connected(tried)
    assert not any(reached[name] for name in before & after), reached
    # Strangers do reach what was never behind the load balancer, so their tries say something.
    assert all(reached[name] for name in set(PORTS) - before - after), reached
    found = expecting(lab)
    assert {name for name, codes in found.items() if codes == {"421"}} == after, found
    assert {name for name, codes in found.items() if "421" not in codes} == set(PORTS) - after, found
    for name in PORTS:
        answer = lab.send(
            CLIENTS[1], f"{name} of {sorted(after)}", SERVICE_ADDRESS, port=str(PORTS[name]), **MAIL[name]
        )
        assert answer["accepted"] == (name in after), (name, answer)
    return sum(each.tries for each in tried)
