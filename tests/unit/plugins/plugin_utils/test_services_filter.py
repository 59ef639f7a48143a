# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the services, as Ansible calls them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mailops.ovh_iplb.plugins.filter.services import (
    PLAN_QUESTIONS,
    QUESTIONS,
    mail_decision,
    mail_services,
    plan_decision,
)

ENTRY = {"name": "smtp", "port": "25", "listener": "smtp/inet"}


class Late(list[Any]):
    """A list as Ansible hands it to filters: it can be read, and not be made anew."""

    def __init__(self, items: Any) -> None:
        if not isinstance(items, list):
            raise TypeError("Direct construction of lazy containers is not supported.")
        super().__init__(items)


def late(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: late(item) for key, item in value.items()}
    return Late([late(item) for item in value]) if isinstance(value, list) else value


def test_what_ansible_hands_over_is_taken_for_what_it_is() -> None:
    services = late(mail_services(late({"services": [{**ENTRY, "zones": ["gra"]}]})))
    assert mail_decision(services, "leaving")[0]["zones"] == ["gra"]
    assert [item["name"] for item in mail_decision(services, "only", names=Late(["smtp"]))] == ["smtp"]


def test_a_refusal_reaches_the_operator() -> None:
    with pytest.raises(AnsibleFilterError, match="smtp_load_balancer_services is empty"):
        mail_services({"services": []})
    with pytest.raises(AnsibleFilterError, match="smtp_load_balancer_only names nosuch"):
        mail_decision(mail_services({}), "only", names=["nosuch"])


def test_a_question_that_there_is_not_is_an_error_that_lists_those_that_there_are() -> None:
    with pytest.raises(AnsibleFilterError, match=", ".join(QUESTIONS)):
        mail_decision([], "whatever")
    with pytest.raises(AnsibleFilterError, match=", ".join(PLAN_QUESTIONS)):
        plan_decision([], "whatever")
