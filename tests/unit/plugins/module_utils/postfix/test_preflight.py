# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused, and what is said, before a listener expects PROXY headers."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import plan_changes
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import (
    replaced_overrides,
    with_listeners,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUARDED_HOST_LISTS,
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
    Values,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preflight import (
    Surroundings,
    local_senders,
    notices,
    refuse_cut_off,
    refuse_trusted_balancer,
)

GUIDE: Values = {"smtp_upstream_proxy_protocol": "haproxy"}
NETWORKS = ("198.51.100.128/29",)
LISTENER = Listener(balancer_networks=NETWORKS)
SESSION = "0 0 192.0.2.11:25 203.0.113.10:40001\n"


def host(proxied: bool = False, **effective: str) -> Settings:
    return Settings(
        entries={"smtp/inet": Entry("smtp/inet", command="smtpd")},
        expanded={("smtp/inet", "smtpd_upstream_proxy_protocol"): "haproxy"} if proxied else {},
        effective={"mynetworks": "127.0.0.0/8 [::1]/128", "inet_protocols": "all", **effective},
    )


@pytest.mark.parametrize(
    ("mynetworks", "trusted"),
    [("127.0.0.0/8, 198.51.100.0/24", ()), ("198.51.100.130", ()), ("127.0.0.0/8", ("198.51.100.131/32",))],
)
def test_whatever_comes_through_the_balancer_is_not_to_be_trusted(mynetworks: str, trusted: tuple[str, ...]) -> None:
    after, listener = host(mynetworks=mynetworks), replace(LISTENER, trusted_clients=trusted)
    with pytest.raises(PostfixError, match=r"198\.51\.100\.128/29.*allow_address_permits"):
        refuse_trusted_balancer(after, listener)
    refuse_trusted_balancer(after, replace(listener, allow_address_permits=True))
    refuse_trusted_balancer(after, replace(listener, balancer_networks=()))


def test_loopback_and_strangers_are_no_balancer() -> None:
    refuse_trusted_balancer(host(mynetworks="127.0.0.0/8 [::1]/128 203.0.113.0/24 hash:/etc/postfix/x"), LISTENER)


@pytest.mark.parametrize(
    ("everywhere", "there", "relays"),
    [("127.0.0.0/8", None, False), ("198.51.100.0/24", None, True), ("127.0.0.0/8", "198.51.100.130", True)],
)
def test_a_load_balancer_that_sends_no_header_is_not_to_be_trusted_either(
    everywhere: str, there: str | None, relays: bool
) -> None:
    expanded = {} if there is None else {("smtp/inet", "mynetworks"): there}
    after, plain = replace(host(mynetworks=everywhere), expanded=expanded), replace(LISTENER, version=None)
    with pytest.raises(PostfixError, match="without a PROXY header could relay") if relays else nullcontext():
        refuse_trusted_balancer(after, plain)
    refuse_trusted_balancer(after, replace(plain, present=False))


def test_clients_that_use_the_port_now_are_not_cut_off_in_silence() -> None:
    around = Surroundings(sessions=SESSION)
    with pytest.raises(PostfixError, match=r"203\.0\.113\.10.*10025/inet.*allow_cutover"):
        refuse_cut_off(host(), LISTENER, around)
    refuse_cut_off(host(), replace(LISTENER, allow_cutover=True), around)
    refuse_cut_off(host(proxied=True), LISTENER, around)
    refuse_cut_off(host(), replace(LISTENER, service="10025/inet"), around)


@pytest.mark.parametrize(
    ("after", "listener", "around", "said"),
    [
        (host(inet_protocols="ipv4"), replace(LISTENER, balancer_ipv6=True), Surroundings(), "inet_protocols"),
        (host(), LISTENER, Surroundings(own_addresses=("198.51.100.130",)), "own address 198.51.100.130"),
        (host(smtpd_forbid_unauth_pipelining="no"), LISTENER, Surroundings(), "smtpd_forbid_unauth_pipelining"),
        (host(smtpd_milters="inet:127.0.0.1:8891"), LISTENER, Surroundings(), "milters.*127.0.0.1:8891.*InternalHosts"),
        (host(), LISTENER, Surroundings(local_senders=("php",)), "php.*sendmail.*10025/inet"),
    ],
)
def test_the_operator_is_told(after: Settings, listener: Listener, around: Surroundings, said: str) -> None:
    (notice,) = notices(host(), after, listener, around)
    assert re.search(said, notice)


def test_a_sound_host_is_told_nothing() -> None:
    settings = host(smtpd_forbid_unauth_pipelining="yes")
    assert notices(host(), settings, replace(LISTENER, balancer_ipv6=True), Surroundings()) == []


def test_a_listener_that_expects_headers_already_is_told_once_only_what_loses_mail() -> None:
    settings = host(proxied=True, smtpd_milters="inet:x", smtpd_forbid_unauth_pipelining="no", inet_protocols="ipv4")
    assert notices(settings, settings, LISTENER, Surroundings()) == []
    assert len(notices(settings, settings, replace(LISTENER, balancer_ipv6=True), Surroundings())) == 1


LOG = """\
Nov 22 16:08:50 mx postfix/smtpd[10]: connect from localhost[127.0.0.1]
Nov 22 16:08:50 mx postfix/smtpd[10]: 4Tabc: client=localhost[127.0.0.1]
Nov 22 16:08:51 mx postfix/submission/smtpd[11]: 4Tabd: client=localhost[127.0.0.1]
Nov 22 16:08:52 mx postfix/smtpd[12]: 4Tabe: client=mx.example[203.0.113.10]
Nov 22 16:08:53 mx postfix/smtpd[12]: 4Tabf: client=localhost[::1]
"""


def test_programs_of_the_host_are_found_in_the_log_and_among_its_sockets() -> None:
    sockets = '0 0 127.0.0.1:40000 127.0.0.1:25 users:(("php-fpm",pid=7,fd=3))\n'
    found = local_senders(LOG, "postfix/smtpd", sockets)
    assert found == ("php-fpm", "2 messages from 127.0.0.1 in the mail log")
    assert local_senders("", "postfix/smtpd", "") == ()


# A port of its own ---------------------------------------------------------------------------------------------------

OWN = Listener("10025/inet", trusted_clients=())


def test_a_port_of_its_own_is_like_port_25_and_leaves_it_alone() -> None:
    overrides = {"content_filter": "amavis:[127.0.0.1]:10024", "mynetworks": "192.0.2.0/24"}
    before = Settings(entries={"smtp/inet": Entry("smtp/inet", "n", chroot="y", command="smtpd", overrides=overrides)})
    request = with_listeners(before, Request(listeners=(OWN,)), lambda _address: False)
    entry = request.new_services["10025/inet"]
    assert entry is not None
    assert (entry.private, entry.chroot, entry.command) == ("n", "y", "smtpd")
    assert entry.overrides == {
        "content_filter": "amavis:[127.0.0.1]:10024",
        "syslog_name": "postfix/balancer",
        "smtpd_upstream_proxy_protocol": "$smtp_upstream_proxy_protocol",
        "mynetworks": "",
        "smtpd_authorized_xclient_hosts": "",
        "smtpd_authorized_xforward_hosts": "",
    }
    assert request.services == {}


@pytest.mark.parametrize("port_25", ["25/inet", "192.0.2.11:smtp/inet", "[2001:db8::11]:25/inet"])
def test_mail_does_not_pass_the_filters_by_where_port_25_is_written_otherwise(port_25: str) -> None:
    inside = [Entry(name, command="smtpd", overrides={"receive_override_options": "no_milters"}) for name in LOCAL]
    entry = Entry(port_25, "n", chroot="y", command="smtpd", overrides={"content_filter": "amavis:[127.0.0.1]:10024"})
    before = on(*inside, entry)
    own = with_listeners(before, Request(listeners=(OWN,)), lambda _address: False).new_services["10025/inet"]
    assert own is not None
    assert (own.chroot, own.overrides["content_filter"]) == ("y", "amavis:[127.0.0.1]:10024")
    assert "receive_override_options" not in own.overrides


LOCAL = ("127.0.0.1:smtp/inet", "localhost:25/inet", "[::1]:25/inet", "10026/inet")


def test_behind_postscreen_under_another_name_a_port_of_its_own_is_like_the_smtpd_there() -> None:
    screen = Entry("25/inet", command="postscreen", overrides={"smtpd_service_name": "inner"})
    inner = Entry("inner/pass", chroot="y", command="smtpd", overrides={"content_filter": "scan"})
    before = replace(on(screen, inner), expanded={("25/inet", "smtpd_service_name"): "inner"})
    entry = with_listeners(before, Request(listeners=(OWN,)), lambda _address: False).new_services["10025/inet"]
    assert entry is not None
    assert (entry.chroot, entry.overrides["content_filter"]) == ("y", "scan")


def test_behind_postscreen_a_port_of_its_own_is_like_the_smtpd_there() -> None:
    before = Settings(
        entries={
            "smtp/inet": Entry("smtp/inet", maxproc="1", command="postscreen"),
            "smtpd/pass": Entry("smtpd/pass", chroot="y", command="smtpd"),
        }
    )
    entry = with_listeners(before, Request(listeners=(OWN,)), lambda _address: False).new_services["10025/inet"]
    assert entry is not None
    assert (entry.command, entry.chroot, entry.maxproc) == ("smtpd", "y", "-")


def test_the_second_run_sees_its_own_port() -> None:
    before = Settings(entries={"smtp/inet": Entry("smtp/inet", command="smtpd")})
    entry = with_listeners(before, Request(listeners=(OWN,)), lambda _address: False).new_services["10025/inet"]
    assert entry is not None
    now = Settings(
        parameters={"smtp_upstream_proxy_protocol": "haproxy"}, entries={**before.entries, "10025/inet": entry}
    )
    assert plan_changes(now, with_listeners(now, Request(listeners=(OWN,)), lambda _address: False)) == []
    gone = with_listeners(now, Request(listeners=(replace(OWN, present=False),)), lambda _address: False)
    assert gone.new_services == {"10025/inet": None}
    assert gone.parameters == {"smtp_upstream_proxy_protocol": None}
    assert plan_changes(before, with_listeners(before, Request(listeners=(replace(OWN, present=False),)), bool)) == []


def on(entry: Entry, *others: Entry) -> Settings:
    """A host with this entry, as a listener has left it, and the guide's line."""
    return Settings(
        parameters={"smtp_upstream_proxy_protocol": "haproxy"},
        entries={each.service: each for each in (entry, *others)},
    )


PORT_25 = Entry("smtp/inet", command="smtpd")
SUBMISSION = Entry("submission/inet", private="n", command="smtpd", overrides={"smtpd_sasl_auth_enable": "yes"})
WITH_SUBMISSION = {"submission/inet": SUBMISSION}


def test_without_a_header_a_port_of_its_own_goes_on_serving() -> None:
    off = Request(listeners=(replace(OWN, version=None),))
    with_header = with_listeners(on(PORT_25), Request(listeners=(OWN,)), bool).new_services["10025/inet"]
    assert with_header is not None
    kept = replaced_overrides(on(PORT_25), Request(listeners=(OWN,)), {})
    now = on(PORT_25, with_header)
    changes = plan_changes(now, with_listeners(now, off, bool, kept))
    assert {change.place for change in changes} == {
        "smtp_upstream_proxy_protocol",
        *(f"10025/inet/{name}" for name in ("smtpd_upstream_proxy_protocol", "mynetworks", *GUARDED_HOST_LISTS)),
    }
    # It is like port 25 on a host that never had it, too.
    fresh = with_listeners(on(PORT_25), off, bool).new_services["10025/inet"]
    assert fresh is not None
    assert fresh.overrides == {"syslog_name": "postfix/balancer"}
    away = Request(listeners=(replace(OWN, present=False),))
    assert with_listeners(on(PORT_25, fresh), away, bool, kept).new_services == {"10025/inet": None}


def test_without_a_header_an_entry_of_the_task_goes_on_serving_until_the_service_is_absent() -> None:
    """587 of ``new_services``: with the header, without it, with it again, and gone."""
    listener = Listener("submission/inet", trusted_clients=())
    ways = [listener, replace(listener, version=None), listener, replace(listener, present=False)]
    kept: dict[str, Values | None] = {}
    now, served = Settings(entries={"smtp/inet": PORT_25}), []
    for way in ways:
        asked = Request(new_services=WITH_SUBMISSION, listeners=(way,))
        entry = with_listeners(now, asked, bool, kept).new_services["submission/inet"]
        kept = replaced_overrides(now, asked, kept)
        now = on(PORT_25, *([entry] if entry else []))
        assert plan_changes(now, with_listeners(now, asked, bool, kept))[1:] == [], "a second run finds nothing to do"
        served.append(None if entry is None else "smtpd_upstream_proxy_protocol" in entry.overrides)
    assert served == [True, False, True, None]
    assert kept == {}


def test_an_entry_that_the_host_had_before_is_never_removed() -> None:
    """Not where ``new_services`` names it too, and also not where it had the header in between."""
    listener = Listener("submission/inet", trusted_clients=())
    kept: dict[str, Values | None] = {}
    now = on(PORT_25, SUBMISSION)
    for way in (listener, replace(listener, version=None), listener, replace(listener, present=False)):
        asked = Request(new_services=WITH_SUBMISSION, listeners=(way,))
        entry = with_listeners(now, asked, bool, kept).new_services["submission/inet"]
        kept = replaced_overrides(now, asked, kept)
        assert entry is not None
        now = on(PORT_25, entry)
    assert entry == SUBMISSION


def test_what_is_known_of_an_entry_goes_with_it() -> None:
    """Somebody took an entry that came with its listener out by hand; another one of that name is theirs."""
    assert replaced_overrides(on(PORT_25), Request(), {"submission/inet": None}) == {}


def test_overrides_that_stood_there_before_come_back() -> None:
    mine = {"mynetworks": "10.0.0.0/8", "smtpd_helo_required": "yes"}
    before = Settings(entries={"smtp/inet": Entry("smtp/inet", command="smtpd", overrides=mine)})
    listener = Listener(trusted_clients=())
    kept = replaced_overrides(before, Request(listeners=(listener,)), {"10025/inet": {"mynetworks": "192.0.2.0/24"}})
    assert kept == {"smtp/inet": {"mynetworks": "10.0.0.0/8"}, "10025/inet": {"mynetworks": "192.0.2.0/24"}}

    values = with_listeners(before, Request(listeners=(listener,)), bool).services["smtp/inet"]
    now = Settings(entries={"smtp/inet": Entry("smtp/inet", command="smtpd", overrides={**mine, **values})})  # type: ignore[dict-item]
    assert replaced_overrides(now, Request(listeners=(listener,)), kept) == kept

    leaving = Request(listeners=(replace(listener, present=False),))
    back = with_listeners(now, leaving, bool, kept).services["smtp/inet"]
    assert back == {**dict.fromkeys(values), "mynetworks": "10.0.0.0/8"}
    assert replaced_overrides(now, leaving, kept) == {"10025/inet": {"mynetworks": "192.0.2.0/24"}}


@pytest.mark.parametrize(("mine", "comes_back"), [("haproxy", None), ("", "")])
def test_a_header_that_was_on_by_hand_before_does_not_keep_a_service_from_leaving(
    mine: str, comes_back: str | None
) -> None:
    """It would expect headers that nobody sends any more, and no line of the file would be to blame for it."""
    proxy = "smtpd_upstream_proxy_protocol"
    before = on(Entry("smtp/inet", command="smtpd", overrides={proxy: mine, "mynetworks": "10.0.0.0/8"}))
    listener = Listener(trusted_clients=())
    kept = replaced_overrides(before, Request(listeners=(listener,)), {})
    values = with_listeners(before, Request(listeners=(listener,)), bool).services["smtp/inet"]
    now = on(Entry("smtp/inet", command="smtpd", overrides={name: text or "" for name, text in values.items()}))
    for way in (replace(listener, present=False), replace(listener, version=None)):
        back = with_listeners(now, Request(listeners=(way,)), bool, kept).services["smtp/inet"]
        assert back == {**dict.fromkeys(values), proxy: comes_back, "mynetworks": "10.0.0.0/8"}


LIMIT = "smtpd_client_event_limit_exceptions"


@pytest.mark.parametrize("mine", [{}, {LIMIT: "192.0.2.7"}])
def test_a_rate_limit_does_not_take_the_server_down_by_its_own_checks(mine: dict[str, str]) -> None:
    """The exceptions follow mynetworks, which the guard empties: checks would be counted, and answered 421."""

    def host(limits: dict[str, str], **overrides: str) -> Settings:
        entry = Entry("smtp/inet", command="smtpd", overrides=overrides)
        return Settings(parameters=limits, entries={"smtp/inet": entry})

    wanted = Request(listeners=(Listener(trusted_clients=(), balancer_networks=("198.51.100.128/29",)),))
    unlimited, limits = host({}), {"smtpd_client_connection_rate_limit": "10"}
    assert LIMIT not in with_listeners(unlimited, wanted, bool).services["smtp/inet"]
    before = host(limits, **mine)
    values = with_listeners(before, wanted, bool).services["smtp/inet"]
    assert values[LIMIT] == "198.51.100.128/29"

    together = with_listeners(host({}, **mine), replace(wanted, parameters=dict(limits)), bool)
    assert together.services["smtp/inet"][LIMIT] == "198.51.100.128/29"

    kept = replaced_overrides(before, wanted, {})
    now = host(limits, **{name: str(value) for name, value in values.items()})
    assert replaced_overrides(now, wanted, kept) == kept
    assert plan_changes(now, with_listeners(now, wanted, bool, kept)) == plan_changes(now, Request(parameters=GUIDE))
    gone = with_listeners(now, Request(listeners=(Listener(present=False),)), bool, kept).services["smtp/inet"]
    assert gone[LIMIT] == mine.get(LIMIT)
    # What somebody set by hand, and no run replaced, is not ours to take.
    away = Listener(present=False, balancer_networks=("198.51.100.128/29",))
    assert LIMIT not in with_listeners(now, Request(listeners=(away,)), bool).services["smtp/inet"]
    # The limit came after the listener: what it had then is what comes back.
    early = host(limits, **{name: str(value) for name, value in values.items() if name != LIMIT}, **mine)
    assert replaced_overrides(early, wanted, {}) == {"smtp/inet": {LIMIT: mine.get(LIMIT)}}


def test_a_misspelt_service_is_no_port_of_its_own() -> None:
    before = Settings(entries={"smtp/inet": Entry("smtp/inet", command="smtpd")})
    with pytest.raises(PostfixError, match="did you mean smtp/inet"):
        with_listeners(before, Request(listeners=(Listener("smpt/inet"),)), lambda _address: False)
