# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is decided about a Postfix configuration, without a Postfix."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import (
    edited,
    plan_changes,
    removed_last,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import (
    plan_from_nothing,
    wide_networks,
    with_listeners,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.liveness import Stamp, is_live, meaning_digest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Change,
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
    endpoints,
    parse_settings,
    starts_by_itself,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.request import (
    read_mode,
    read_request,
    value_text,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.verdict import refuse_unsound
from hypothesis import given
from hypothesis import strategies as st

GUIDE = {"smtp_upstream_proxy_protocol": "haproxy"}
REFERENCE = "$smtp_upstream_proxy_protocol"
GUARD = {"mynetworks": "", "smtpd_authorized_xclient_hosts": "", "smtpd_authorized_xforward_hosts": ""}


def nobody(_address: str) -> bool:
    return False


def settings(
    *entries: Entry,
    main: Mapping[str, str] | None = None,
    effective: Mapping[str, str] | None = None,
    unused: tuple[tuple[str, str], ...] = (),
) -> Settings:
    """A configuration in which no value refers to another."""
    return Settings(
        parameters=main or {},
        entries={entry.service: entry for entry in entries},
        expanded={(entry.service, name): value for entry in entries for name, value in entry.overrides.items()},
        effective={"mail_version": "3.7.11", "mynetworks": "127.0.0.0/8", **(effective or {})},
        unused=unused,
    )


def smtpd(service: str = "smtp/inet", **overrides: str) -> Entry:
    return Entry(service, command="smtpd", overrides=overrides)


POSTSCREEN = (Entry("smtp/inet", command="postscreen"), smtpd("smtpd/pass"))


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1.5, "1.5"),
        ("", ""),
        (None, None),
        ([], ""),
        (["a", True, 3], "a, yes, 3"),
        ("permit_mynetworks,\n  reject\n", "permit_mynetworks, reject"),
    ],
)
def test_values_become_what_postfix_writes(value: Any, text: str | None) -> None:
    assert value_text("parameters.x", value) == text


@given(st.text())
def test_no_value_starts_a_line_of_its_own(value: str) -> None:
    with contextlib.suppress(PostfixError):
        assert not {"\n", "\r"} & set(value_text("parameters.x", value) or "")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"parameters": {"a b": 1}}, "parameters: 'a b'"),
        ({"parameters": {"a": {"b": 1}}}, "parameters.a"),
        ({"services": {"smtp": {}}}, "smtp/inet"),
        ({"services": {"*/inet": {}}}, r"\*/inet"),
        ({"services": {"smtp/inet": None}}, "services.smtp/inet"),
        ({"new_services": {"10025/inet": {}}}, "new_services.10025/inet"),
        ({"new_services": {"10025/inet": {"command": "smtpd", "chrooted": True}}}, "chrooted"),
        ({"new_services": {"10025/inet": {"command": "smtpd", "chroot": "maybe"}}}, "10025/inet.chroot"),
        ({"new_services": {"10025/inet": {"command": "smtpd", "maxproc": -1}}}, "10025/inet.maxproc"),
        ({"new_services": {"10025/inet": {"command": "smtpd", "private": True}}}, "10025/inet.private"),
        ({"services": {"25/inet": {}}, "new_services": {"25/inet": {"command": "smtpd"}}}, "both"),
    ],
)
def test_options_of_the_wrong_shape_are_named(options: dict[str, Any], names: str) -> None:
    arguments: dict[str, Any] = {"parameters": {}, "services": {}, "new_services": {}, **options}
    with pytest.raises(PostfixError, match=names):
        read_request(**arguments)


# The plan ------------------------------------------------------------------------------------------------------------


def test_a_plan_holds_only_what_differs() -> None:
    before = settings(smtpd(mynetworks="", smtpd_timeout="5s"), main={"relayhost": "", "kept": "1", "folded": "a,   b"})
    request = Request(
        parameters={"relayhost": "", "kept": None, "absent": None, "folded": "a, b", "new": "0"},
        services={"smtp/inet": {"mynetworks": "", "smtpd_timeout": None}},
    )
    assert plan_changes(before, request) == [
        Change("main.cf", None, "kept", "1", None),
        Change("main.cf", None, "new", None, "0"),
        Change("master.cf", "smtp/inet", "smtpd_timeout", "5s", None),
    ]


def test_an_unknown_service_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(PostfixError, match=r"submision/inet \(did you mean submission/inet\?\).*new_services"):
        plan_changes(settings(smtpd("submission/inet")), Request(services={"submision/inet": {}}))


def test_a_new_service_is_added_changed_and_removed_as_a_whole() -> None:
    wanted = read_request({}, {}, {"10025/inet": {"command": "smtpd -v", "chroot": False, "parameters": {"a": 1}}})
    entry = wanted.new_services["10025/inet"]
    assert entry is not None
    line = "10025 inet n - n - - smtpd -v"

    assert plan_changes(settings(), wanted) == [
        Change("master.cf", "10025/inet", None, None, line),
        Change("master.cf", "10025/inet", "a", None, "1"),
    ]
    assert plan_changes(settings(entry), wanted) == []
    by_hand = smtpd("10025/inet", a="1", b="2")
    assert plan_changes(settings(by_hand), wanted) == [
        Change("master.cf", "10025/inet", None, "10025 inet - - - - - smtpd", line),
        Change("master.cf", "10025/inet", "b", "2", None),
    ]
    assert plan_changes(settings(entry), read_request({}, {}, {"10025/inet": None})) == [
        Change("master.cf", "10025/inet", None, line, None),
        Change("master.cf", "10025/inet", "a", "1", None),
    ]


def test_an_edit_touches_its_own_lines_only() -> None:
    main = "# why\na = 1\n# within\n  2\n# after\nb=2\na = 3\n\nlast = x"
    master = (
        "smtp inet n - - - - smtpd\n# within\n  -o kept=1 -v\n  -o gone=2\n#smtpd pass\nx unix - - - - - smtp # end"
    )
    files = {"main.cf": main, "master.cf": master}
    before = settings(Entry("smtp/inet", private="n", command="smtpd", arguments="-v", overrides={"kept": "1"}))
    request = Request({"a": "", "b": None, "new": "0"}, {"smtp/inet": {"gone": None, "banner": "hello world"}})
    changes = [
        Change("main.cf", None, "a", "3", ""),
        Change("main.cf", None, "b", "2", None),
        Change("main.cf", None, "new", None, "0"),
        Change("master.cf", "smtp/inet", "gone", "2", None),
    ]
    assert edited(files, before, request, changes) == {
        "main.cf": "# why\n# within\n# after\na =\n\nlast = x\nnew = 0\n",
        "master.cf": (
            "# within\nsmtp       inet  n       -       -       -       -       smtpd\n"
            "    -o kept=1\n    -o {banner=hello world}\n    -v\n#smtpd pass\nx unix - - - - - smtp # end\n"
        ),
    }
    assert edited(files, before, request, []) == files


def test_a_name_that_the_running_services_refer_to_leaves_main_cf_last() -> None:
    before = settings(smtpd(smtpd_upstream_proxy_protocol=REFERENCE), main={"relayhost": "", **GUIDE})
    request = Request(
        parameters={**dict.fromkeys(GUIDE), "relayhost": None},
        services={"smtp/inet": {"smtpd_upstream_proxy_protocol": None}},
    )
    changes = plan_changes(before, request)
    late = removed_last(before, changes)
    assert late == ["smtp_upstream_proxy_protocol"]
    files = {"main.cf": "relayhost =\nsmtp_upstream_proxy_protocol = haproxy\n", "master.cf": ""}
    assert edited(files, before, request, changes, late)["main.cf"] == "smtp_upstream_proxy_protocol = haproxy\n"


# What postconf says --------------------------------------------------------------------------------------------------


def test_settings_are_what_postconf_shows_and_what_it_only_warns_about() -> None:
    read = parse_settings(
        main="config_directory = /copy\nrelayhost =\nmydestination = $myhostname, localhost\n",
        master=(
            "smtp       inet  n       -       y       -       -       smtpd -o a=b -o {c=d e} -v\n"
            "maildrop   unix  -       n       n       -       -       pipe flags=R argv=/usr/bin/x -d ${recipient}\n"
        ),
        overrides="smtp/inet/a = b\nsmtp/inet/c = d e\n",
        expanded="smtp/inet/a = b\nsmtp/inet/c = d e\n",
        effective="mail_version = 3.7.11\n",
        warnings=(
            "postconf: warning: /copy/main.cf: unused parameter: own_name=a ?\n"
            "postconf: warning: /copy/master.cf: unused parameter: a=b\n"
            "postconf: warning: /copy/master.cf: undefined parameter: nothing\n"
        ),
        directory="/copy",
        unused={"own_name": "a \udce9", "relayhost": "x"},
    )
    assert read.parameters == {"relayhost": "", "mydestination": "$myhostname, localhost", "own_name": "a \udce9"}
    assert read.entries["smtp/inet"].line() == "smtp inet n - y - - smtpd -v"
    assert read.entries["smtp/inet"].overrides == {"a": "b", "c": "d e"}
    assert read.entries["maildrop/unix"].arguments == "flags=R argv=/usr/bin/x -d ${recipient}"
    assert read.unused == (("main.cf", "own_name"), ("master.cf", "a"))
    assert read.undefined == ("nothing",)


# The listener --------------------------------------------------------------------------------------------------------


def test_the_listener_gets_the_guides_line_and_the_guard() -> None:
    request = with_listeners(settings(smtpd()), Request(listeners=(Listener(),)), nobody)
    assert request.parameters == GUIDE
    assert request.services == {"smtp/inet": {"smtpd_upstream_proxy_protocol": REFERENCE, **GUARD}}


def test_behind_postscreen_the_guard_goes_on_the_smtpd_that_decides() -> None:
    request = with_listeners(settings(*POSTSCREEN), Request(listeners=(Listener(),)), nobody)
    assert request.services == {
        "smtp/inet": {"postscreen_upstream_proxy_protocol": REFERENCE, "mynetworks": ""},
        "smtpd/pass": GUARD,
    }


def test_what_the_listener_got_is_taken_back_and_nothing_else() -> None:
    request = Request(listeners=(Listener(present=False),))
    before = settings(smtpd(smtpd_upstream_proxy_protocol=REFERENCE, **GUARD, kept="1"), main=GUIDE)
    changes = plan_changes(before, with_listeners(before, request, nobody))
    assert {change.place for change in changes} == {
        "smtp_upstream_proxy_protocol",
        "smtp/inet/smtpd_upstream_proxy_protocol",
        *(f"smtp/inet/{name}" for name in GUARD),
    }
    by_hand = settings(smtpd(mynetworks="", smtpd_upstream_proxy_protocol="haproxy"))
    assert plan_changes(by_hand, with_listeners(by_hand, request, nobody)) == []


def test_the_guides_line_stays_while_another_service_uses_it() -> None:
    before = settings(smtpd(), smtpd("10025/inet", smtpd_upstream_proxy_protocol=REFERENCE), main=GUIDE)
    request = with_listeners(before, Request(listeners=(Listener(present=False),)), nobody)
    assert plan_changes(before, request) == []


def test_a_new_service_can_be_the_listener() -> None:
    entry = smtpd("10025/inet", syslog_name="postfix/balancer")
    request = Request(new_services={"10025/inet": entry}, listeners=(Listener("10025/inet"),))
    merged = with_listeners(settings(smtpd()), request, nobody).new_services["10025/inet"]
    assert merged is not None
    assert merged.overrides == {
        "syslog_name": "postfix/balancer",
        "smtpd_upstream_proxy_protocol": REFERENCE,
        **GUARD,
    }


@pytest.mark.parametrize(
    ("before", "request_", "names"),
    [
        (settings(), Request(listeners=(Listener(),)), "no entry smtp/inet"),
        (settings(Entry("smtp/inet", command="qmqpd")), Request(listeners=(Listener(),)), "qmqpd"),
        (settings(POSTSCREEN[0]), Request(listeners=(Listener(),)), "smtpd/pass"),
        (
            settings(smtpd()),
            Request(services={"smtp/inet": {"mynetworks": "::/0"}}, listeners=(Listener(),)),
            "mynetworks",
        ),
        (settings(smtpd()), Request(parameters=dict.fromkeys(GUIDE, ""), listeners=(Listener(),)), "contradicts"),
        (
            settings(smtpd()),
            Request(new_services={"smtp/inet": None}, listeners=(Listener(),)),
            "new_services.smtp/inet: null removes .*proxy_listener.state: absent",
        ),
        (
            settings(smtpd()),
            Request(new_services={"smtp/inet": None}, listeners=(Listener(version=None),)),
            "new_services.smtp/inet: null removes",
        ),
        (
            settings(*POSTSCREEN),
            Request(new_services={"smtpd/pass": None}, listeners=(Listener(),)),
            "new_services.smtpd/pass: null removes",
        ),
        (
            settings(smtpd(), effective={"mail_version": "3.4.13"}),
            Request(listeners=(Listener(version="v2"),)),
            "3.4.13.*v2.*3.5",
        ),
    ],
)
def test_a_listener_that_can_not_be_is_refused(before: Settings, request_: Request, names: str) -> None:
    with pytest.raises(PostfixError, match=names):
        with_listeners(before, request_, nobody)


def test_postfix_3_10_is_newer_than_3_5() -> None:
    before = settings(smtpd(), effective={"mail_version": "3.10.1"})
    assert with_listeners(before, Request(listeners=(Listener(version="v2"),)), nobody).parameters == GUIDE


def test_senders_are_not_cut_off_in_silence() -> None:
    before = settings(smtpd(), effective={"mynetworks": "127.0.0.0/8 198.51.100.0/24"})
    with pytest.raises(PostfixError, match=r"198\.51\.100\.0/24.*trusted_clients"):
        with_listeners(before, Request(listeners=(Listener(),)), nobody)
    for trusted in ((), ("198.51.100.7",)):
        request = with_listeners(before, Request(listeners=(Listener(trusted_clients=trusted),)), nobody)
        assert request.services["smtp/inet"]["mynetworks"] == ", ".join(trusted)


@pytest.mark.parametrize("written", ["2001:db8::/32", "[2001:db8::]/32", "[2001:db8::/32]"])
def test_an_ipv6_network_is_not_taken_for_a_table(written: str) -> None:
    """Postfix looks without brackets for a table of the type 2001, and answers 451 to every recipient."""
    before = settings(smtpd(smtpd_client_connection_rate_limit="9"))
    one = Listener(trusted_clients=(written, "192.0.2.1"), balancer_networks=("2001:db8:1::/64",))
    values = with_listeners(before, Request(listeners=(one,)), nobody).services["smtp/inet"]
    assert values["mynetworks"] == "[2001:db8::]/32, 192.0.2.1"
    assert values["smtpd_client_event_limit_exceptions"] == "[2001:db8::]/32, 192.0.2.1, [2001:db8:1::]/64"
    services = with_listeners(settings(*POSTSCREEN), Request(listeners=(one,)), nobody).services
    assert services["smtp/inet"]["mynetworks"] == "[2001:db8::]/32, 192.0.2.1, [2001:db8:1::]/64"
    assert services["smtpd/pass"]["mynetworks"] == "[2001:db8::]/32, 192.0.2.1"


GUIDED = {"smtpd_upstream_proxy_protocol": REFERENCE}
GUARDED = {**GUIDED, "smtpd_authorized_xclient_hosts": ""}


@pytest.mark.parametrize("overrides", [{**GUARDED, "mynetworks": "198.51.100.0/24"}, GUARDED])
def test_whom_somebody_let_relay_through_a_guarded_listener_by_hand_is_not_asked_about(
    overrides: dict[str, str],
) -> None:
    before = settings(smtpd(**overrides), effective={"mynetworks": "203.0.113.0/24"})
    request = with_listeners(before, Request(listeners=(Listener(),)), nobody)
    assert request.services["smtp/inet"]["mynetworks"] == ""


def test_a_guide_followed_by_hand_without_guard_is_asked_about() -> None:
    before = settings(smtpd(**GUIDED), effective={"mynetworks": "203.0.113.0/24"})
    with pytest.raises(PostfixError, match=r"203\.0\.113\.0/24.*trusted_clients"):
        with_listeners(before, Request(listeners=(Listener(),)), nobody)


@pytest.mark.parametrize(("wakeup", "itself"), [("300", True), ("0", False), ("300?", False), ("-", False)])
def test_what_the_master_starts_without_being_asked(wakeup: str, itself: bool) -> None:
    before = settings(Entry("qmgr/unix", wakeup=wakeup, command="qmgr"))
    assert starts_by_itself(before, "qmgr/unix") is itself
    assert not starts_by_itself(before, "pickup/unix")


@pytest.mark.parametrize(("text", "mode"), [(None, None), ("0644", 0o644), ("640", 0o640)])
def test_a_mode_is_octal(text: str | None, mode: int | None) -> None:
    assert read_mode(text) == mode


@pytest.mark.parametrize("text", ["420", "0666", "0444", "u=rw", "", "1644"])
def test_a_mode_is_one_that_such_a_file_can_have(text: str) -> None:
    with pytest.raises(PostfixError, match=r"mode: .*octal"):
        read_mode(text)


@pytest.mark.parametrize(
    "client",
    ["127.0.0.1", "::1", "0.0.0.0/0", "0.0.0.0/1", "126.0.0.0/7", "::/0", "[::]/64", "nonsense", "192.0.2.1/24"],
)
def test_nobody_may_trust_what_everybody_can_claim(client: str) -> None:
    with pytest.raises(PostfixError, match="trusted_clients"):
        read_request({}, {}, {}, [Listener(trusted_clients=(client,))])


@pytest.mark.parametrize(
    ("mynetworks", "wide"),
    [
        ("127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", []),
        ("127.0.0.1/32, 192.0.2.11/32", []),
        ("192.0.2.12/32", ["192.0.2.12/32"]),
        ("192.0.2.0/24 [2001:db8::]/32", ["192.0.2.0/24", "[2001:db8::]/32"]),
        ("!192.0.2.1 cidr:/etc/postfix/networks", ["cidr:/etc/postfix/networks"]),
        ("", []),
    ],
)
def test_wide_is_what_lets_another_host_in(mynetworks: str, wide: list[str]) -> None:
    assert wide_networks(mynetworks, lambda address: address == "192.0.2.11") == wide


def test_a_listener_that_relays_by_address_is_refused_unless_accepted() -> None:
    after = settings(
        smtpd(smtpd_upstream_proxy_protocol="haproxy"),
        effective={"smtpd_relay_restrictions": "permit_inet_interfaces, reject_unauth_destination"},
    )
    with pytest.raises(PostfixError, match="permit_inet_interfaces"):
        refuse_unsound(after, Request(listeners=(Listener(),)), [])
    refuse_unsound(after, Request(listeners=(Listener(allow_address_permits=True),)), [])


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "request_", "names"),
    [
        (
            settings(unused=(("main.cf", "smtp_upstream_proxy_protocl"),)),
            Request(parameters={"smtp_upstream_proxy_protocl": "haproxy"}),
            "parameters.smtp_upstream_proxy_protocl.*did you mean smtpd_upstream_proxy_protocol",
        ),
        (
            settings(unused=(("main.cf", "smtp_upstream_proxy_protocol"),)),
            Request(parameters={**GUIDE}),
            "together with the entry that uses it",
        ),
        (
            settings(smtpd(), unused=(("master.cf", "foo"),)),
            Request(services={"smtp/inet": {"foo": "1"}}),
            "services.smtp/inet.foo",
        ),
        (
            settings(smtpd(), effective={"smtpd_upstream_proxy_protocol": "proxy"}),
            Request(parameters={"smtpd_upstream_proxy_protocol": "proxy"}),
            "parameters.smtpd_upstream_proxy_protocol.*'proxy'",
        ),
        (
            settings(POSTSCREEN[0]),
            Request(services={"smtp/inet": {"smtpd_upstream_proxy_protocol": "haproxy"}}),
            "read by smtpd, but smtp/inet runs postscreen",
        ),
        (
            settings(*POSTSCREEN),
            Request(services={"smtpd/pass": {"smtpd_upstream_proxy_protocol": "haproxy"}}),
            "behind postscreen",
        ),
        (
            settings(),
            Request(parameters={"mynetworks": "127.0.0.0/8, 2001:db8::/32"}),
            r"parameters.mynetworks: .*2001:db8::/32.*write \[2001:db8::\]/32",
        ),
        (
            settings(smtpd()),
            Request(services={"smtp/inet": {"smtpd_client_event_limit_exceptions": "$mynetworks !::1"}}),
            r"services.smtp/inet.smtpd_client_event_limit_exceptions: .*write \[::1\]",
        ),
    ],
)
def test_what_postfix_would_not_read_or_not_survive_is_refused(after: Settings, request_: Request, names: str) -> None:
    with pytest.raises(PostfixError, match=names):
        refuse_unsound(after, request_, ["smtpd_upstream_proxy_protocol", "relayhost"])


@pytest.mark.parametrize(
    ("network", "correction"),
    [
        ("2001:db8::/32", r"\[2001:db8::\]/32"),
        ("[2001:db8::/32]", r"\[2001:db8::\]/32"),
        ("2001:db8::1", r"\[2001:db8::1\]"),
        ("[2001:db8::1]/32", r"\[2001:db8::\]/32"),
        ("192.0.2.1/24", "192.0.2.0/24"),
        ("!192.0.2.1/24", "192.0.2.0/24"),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
        ("192.0.2.0/33", "an address and the length of its prefix, such as 192.0.2.0/24"),
        ("10/8", "an address and the length of its prefix, such as 192.0.2.0/24"),
    ],
)
def test_a_network_that_postfix_can_not_read_does_not_defer_all_mail(network: str, correction: str) -> None:
    with pytest.raises(PostfixError, match=f"parameters.mynetworks: .*write {correction}$"):
        refuse_unsound(settings(), Request(parameters={"mynetworks": f"127.0.0.0/8, {network}"}), [])


def test_tables_and_networks_that_postfix_can_read_are_not_refused() -> None:
    networks = (
        "127.0.0.0/8, [::1]/128 ![2001:db8::1] [192.0.2.0]/24 192.0.2.1 localhost cidr:/etc/postfix/x, hash:c /etc/n"
    )
    refuse_unsound(settings(), Request(parameters={"mynetworks": networks, "smtp_bind_address6": "2001:db8::1"}), [])


def test_unused_names_of_others_are_not_refused() -> None:
    refuse_unsound(settings(unused=(("main.cf", "theirs"),)), Request(parameters={"relayhost": ""}), [])


def test_a_host_without_postfix_gets_the_plan_of_a_fresh_one() -> None:
    places = {change.place for change in plan_from_nothing(Request({"relayhost": ""}, listeners=(Listener(),)))}
    assert places >= {"relayhost", "smtp_upstream_proxy_protocol", "smtp/inet/mynetworks"}


# Endpoints and state -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "interfaces", "protocols", "address", "port"),
    [
        ("smtp/inet", "all", "all", "127.0.0.1", "smtp"),
        ("smtp/inet", "loopback-only", "ipv6", "::1", "smtp"),
        ("2525/inet", "192.0.2.11, 127.0.0.1", "ipv4", "192.0.2.11", "2525"),
        ("smtp/inet", "[2001:db8::1]", "all", "2001:db8::1", "smtp"),
        ("127.0.0.2:10025/inet", "all", "all", "127.0.0.2", "10025"),
        ("[::1]:10025/inet", "all", "all", "::1", "10025"),
    ],
)
def test_a_listener_is_tried_where_it_listens(
    service: str, interfaces: str, protocols: str, address: str, port: str
) -> None:
    read = settings(smtpd(service), effective={"inet_interfaces": interfaces, "inet_protocols": protocols})
    (endpoint,) = endpoints(read)
    assert (endpoint.address, endpoint.port) == (address, port)
    (endpoint,) = endpoints(read, {service: "192.0.2.99", "other/inet": "192.0.2.98"})
    assert (endpoint.address, endpoint.port) == ("192.0.2.99", port), "the load balancer sends there"


def test_only_smtp_servers_on_the_network_are_tried() -> None:
    read = settings(
        smtpd(smtpd_upstream_proxy_protocol="haproxy"),
        smtpd("submissions/inet", smtpd_tls_wrappermode="yes"),
        smtpd("smtpd/pass"),
        Entry("smtp/unix", command="smtp"),
    )
    found = {endpoint.service: (endpoint.proxied, endpoint.implicit_tls) for endpoint in endpoints(read)}
    assert found == {"smtp/inet": (True, False), "submissions/inet": (False, True)}


def stamp(
    changed: int, master: tuple[int, int] = (1, 100), says: str = "as declared", queue: tuple[int, int] | None = (5, 1)
) -> Stamp:
    """Of a master that started at 100; the queue manager's start in ticks is a tenth of its time."""
    return Stamp(master, ((7, 50), (8, changed)), (says, ""), queue, queue[1] * 10 if queue else 0)


@pytest.mark.parametrize(
    ("now", "applied", "live"),
    [
        pytest.param(stamp(60), None, True, id="started after the change"),
        pytest.param(stamp(160), None, False, id="edited, and nothing known"),
        pytest.param(stamp(160), stamp(160), True, id="reloaded with these"),
        pytest.param(stamp(170, says="other"), stamp(160), False, id="edited since"),
        pytest.param(stamp(160, master=(2, 110)), stamp(160), False, id="another master"),
        pytest.param(stamp(160), replace(stamp(160), queue_manager_since=51), True, id="a clock that was set"),
        pytest.param(stamp(170), stamp(160), True, id="a comment since"),
        pytest.param(stamp(170, queue=(6, 18)), stamp(160), True, id="a comment, and a reload"),
        pytest.param(stamp(190, queue=(6, 18)), stamp(160), False, id="edited, reloaded, edited back"),
        pytest.param(stamp(170, queue=None), stamp(160, queue=None), False, id="no queue manager to tell"),
    ],
)
def test_what_is_live(now: Stamp, applied: Stamp | None, live: bool) -> None:
    assert is_live(now, applied) is live


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("a = 1\nb = x,\n    y\n", True),
        ("# why\na = 1\n\n  # because\nb = x,\n# within\n    y  \n", True),
        ("a = 1\nb = x,\ny\n", False),
        ("a = 1\nb = x,\n    y\nc = 3\n", False),
        ("a = 1 # no comment\nb = x,\n    y\n", False),
    ],
)
def test_comments_and_blank_lines_say_nothing(other: str, same: bool) -> None:
    assert (meaning_digest("a = 1\nb = x,\n    y\n") == meaning_digest(other)) is same
