# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would relay, or may, for an address that a client only claims."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.grants import (
    REFUSED,
    RESTRICTIONS,
    WARNED,
    address_permits,
    other_grants,
    unknown_permits,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import Entry, Listener, Settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preflight import Surroundings, notices

RELAY, RECIPIENT = "smtpd_relay_restrictions", "smtpd_recipient_restrictions"


def restricted(relay: str, recipient: str = "", classes: str = "", **main: str) -> Settings:
    return Settings(
        parameters=main,
        entries={"smtp/inet": Entry("smtp/inet", command="smtpd")},
        effective={RELAY: relay, RECIPIENT: recipient, "smtpd_restriction_classes": classes},
    )


@pytest.mark.parametrize(
    ("after", "permits"),
    [
        (restricted("permit_mynetworks, defer_unauth_destination", "check_client_access hash:/x"), []),
        (restricted("permit_inet_interfaces, reject"), [f"permit_inet_interfaces in {RELAY}"]),
        (restricted("PERMIT_INET_INTERFACES, reject"), [f"PERMIT_INET_INTERFACES in {RELAY}"]),
        (restricted("reject_unauth_destination, permit_inet_interfaces"), []),
        (
            restricted("", "permit_sasl_authenticated check_client_access cidr:/x reject_unauth_destination"),
            [f"check_client_access cidr:/x in {RECIPIENT}"],
        ),
        (
            # Nothing ends the first list, so the second decides.
            restricted("permit_sasl_authenticated", "check_client_access hash:/x, reject_unauth_destination"),
            [f"check_client_access hash:/x in {RECIPIENT}"],
        ),
        (restricted("check_client_access hash:/x, reject", "permit_sasl_authenticated, reject"), []),
        (
            restricted("warn_if_reject reject_unauth_destination, permit_inet_interfaces, reject"),
            [f"permit_inet_interfaces in {RELAY}"],
        ),
        (
            restricted("partners, reject", classes="partners", partners="check_client_access hash:/partners"),
            [f"check_client_access hash:/partners in {RELAY}"],
        ),
        (
            restricted("partners, reject", classes="partners", partners="$ours", ours="permit_inet_interfaces"),
            [f"permit_inet_interfaces in {RELAY}"],
        ),
        (restricted("permit_sasl_authenticated, reject", "check_policy_service inet:x"), []),
        (
            restricted("from-lan, reject", **{"classes": "from-lan", "from-lan": "permit_inet_interfaces"}),
            [f"permit_inet_interfaces in {RELAY}"],
        ),
        (
            # The word in the table is not the end of the list.
            restricted("check_helo_access inline:{ { localhost = reject } }, permit_inet_interfaces, reject"),
            [f"permit_inet_interfaces in {RELAY}"],
        ),
        (
            restricted("check_client_access inline:{ {192.0.2.1 = OK}, {192.0.2.2 = reject} } reject"),
            [f"check_client_access inline: in {RELAY}"],
        ),
    ],
)
def test_what_relays_by_address_is_found(after: Settings, permits: list[str]) -> None:
    assert address_permits(after, "smtp/inet") == permits


@pytest.mark.parametrize(
    ("after", "unknown"),
    [
        (
            restricted("check_policy_service inet:127.0.0.1:10031, reject_unauth_destination"),
            [f"check_policy_service inet:127.0.0.1:10031 in {RELAY}"],
        ),
        (
            restricted("", "check_policy_service { unix:private/policy, timeout=5s }, reject_unauth_destination"),
            [f"check_policy_service unix:private/policy in {RECIPIENT}"],
        ),
        (restricted("permit_mynetworks, defer_unauth_destination", "check_policy_service inet:x:1"), []),
        (restricted("reject_unauth_destination, check_policy_service inet:x:1"), []),
        (
            restricted(
                "check_sender_access hash:/s, reject", classes="partners", partners="check_client_access hash:/partners"
            ),
            [f"partners (check_client_access), to which check_sender_access hash:/s in {RELAY} may lead"],
        ),
    ],
)
def test_what_may_relay_by_address_is_warned_of_by_name(after: Settings, unknown: list[str]) -> None:
    assert unknown_permits(after, "smtp/inet") == unknown
    after = replace(after, expanded={("smtp/inet", "smtpd_upstream_proxy_protocol"): "haproxy"})
    said = notices(after, after, Listener(), Surroundings())
    assert len(said) == len(unknown[:1])
    assert all(name in said[0] for name in unknown)
    assert notices(after, after, Listener(allow_address_permits=True), Surroundings()) == []


@pytest.mark.parametrize("word", sorted(name for name in RESTRICTIONS if RESTRICTIONS[name] in (REFUSED, WARNED)))
def test_each_permit_by_address_is_seen_before_the_list_ends_and_not_after(word: str) -> None:
    for relay, expected in ((f"{word} x:y, reject", 1), (f"reject_unauth_destination, {word} x:y", 0)):
        after = restricted(relay)
        assert len(address_permits(after, "smtp/inet") + unknown_permits(after, "smtp/inet")) == expected


def test_smaller_grants_by_address_are_named_once() -> None:
    after = Settings(
        parameters={"smtpd_milter_maps": "cidr:/milters", "smtpd_client_event_limit_exceptions": "$mynetworks"},
        entries={"smtp/inet": Entry("smtp/inet", command="smtpd")},
        effective={"content_filter": "amavis:[127.0.0.1]:10024", "smtpd_forbid_unauth_pipelining": "yes"},
    )
    assert other_grants(after, "smtp/inet") == {"smtpd_milter_maps": "cidr:/milters"}
    assert other_grants(after, "smtp/inet", ["cidr:/milters"]) == {}
    proxied = replace(after, expanded={("smtp/inet", "smtpd_upstream_proxy_protocol"): "haproxy"})
    assert notices(proxied, proxied, Listener(), Surroundings()) == []
    words = " ".join(notices(after, proxied, Listener(), Surroundings()))
    assert "smtpd_milter_maps = cidr:/milters" in words
    assert "content_filter = amavis:[127.0.0.1]:10024" in words


@pytest.mark.skipif(not host.is_installed(), reason="needs Postfix")
def test_the_list_has_every_restriction_of_this_postfix_that_can_permit() -> None:
    """A new Postfix brings new ones: whoever adds it to the tests decides what they are."""
    program = Path(host.must("postconf", "-dh", "daemon_directory").out.strip(), "smtpd").read_bytes()
    names = {name.decode() for name in re.findall(rb"\0((?:permit|check)_[a-z_]+)(?=\0)", program)}
    # Functions and parameters of smtpd, and what it refuses as obsolete.
    others = {
        *("check_access", "check_addr_access", "check_address_map", "check_domain_access", "check_mail_access"),
        *("check_namadr_access", "check_recipient_maps", "check_relay_domains", "check_server_access"),
        *("check_table_result", "permit_dnswl_addr", "permit_dnswl_domain", "permit_mx_backup_networks"),
        "permit_mx_primary",
    }
    assert names - others <= set(RESTRICTIONS)
