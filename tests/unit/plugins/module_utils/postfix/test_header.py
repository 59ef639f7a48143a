# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A header that is expected where nobody sends one: every such client would be answered 421."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.header import inherited, refuse_wrong
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
)

MAIN = "# main\nmyhostname = mx.example\nsmtpd_upstream_proxy_protocol = haproxy\n"
ON = Request(listeners=(Listener(),))
OFF = Request(listeners=(Listener(present=False),))


def host(*entries: Entry, **main: str) -> Settings:
    return Settings(
        parameters=main,
        entries={entry.service: entry for entry in entries},
        expanded={(entry.service, name): value for entry in entries for name, value in entry.overrides.items()},
        effective=main,
    )


def smtpd(service: str = "smtp/inet", command: str = "smtpd", **overrides: str) -> Entry:
    return Entry(service, command=command, overrides=overrides)


HOW_TO = {"smtpd_upstream_proxy_protocol": "haproxy"}


def test_turning_the_header_off_does_not_leave_every_direct_client_with_421() -> None:
    after = host(
        smtpd(), smtpd("submission/inet"), smtpd("127.0.0.1:10025/inet", smtpd_upstream_proxy_protocol=""), **HOW_TO
    )
    with pytest.raises(
        PostfixError, match=r"smtp/inet would go on.*main\.cf line 3, smtpd_upstream.*: null"
    ) as refused:
        refuse_wrong(after, OFF, MAIN)
    assert "submission/inet inherits it too" in str(refused.value)
    assert "10025" not in str(refused.value)


def test_a_header_that_somebody_set_by_hand_is_named_when_it_would_stay() -> None:
    with pytest.raises(PostfixError, match=r"-o smtpd_upstream_proxy_protocol=haproxy, set by hand.*smtp/inet"):
        refuse_wrong(host(smtpd(**HOW_TO)), OFF, "")
    screen = {"postscreen_upstream_proxy_protocol": "haproxy"}
    with pytest.raises(PostfixError, match=r"main\.cf, postscreen_upstream_proxy_protocol = haproxy"):
        refuse_wrong(host(smtpd(command="postscreen"), **screen), OFF, MAIN)


def test_a_listener_that_is_gone_or_plain_is_left_in_peace() -> None:
    for entries in ([], [smtpd()], [smtpd(command="qmqpd")]):
        refuse_wrong(host(*entries), OFF, "")


def test_a_listener_that_would_not_expect_the_header_is_refused_with_the_override_to_blame() -> None:
    shadowed = smtpd(smtpd_upstream_proxy_protocol="", smtp_upstream_proxy_protocol="")
    with pytest.raises(PostfixError, match=r"-o smtp_upstream_proxy_protocol=\. Remove"):
        refuse_wrong(host(shadowed), ON, "")
    with pytest.raises(PostfixError, match="smtp/inet would not expect a PROXY header"):
        refuse_wrong(host(smtpd()), ON, "")


def test_services_that_inherit_the_header_are_named() -> None:
    after = host(smtpd(), smtpd("submission/inet"), smtpd("smtpd/pass"), smtpd("smtps/inet", **HOW_TO), **HOW_TO)
    (said,) = inherited(after, ON, MAIN)
    assert said.startswith("submission/inet expects a PROXY header too, because of main.cf line 3")
    assert inherited(host(smtpd(**HOW_TO), smtpd("submission/inet")), ON, "") == []
