# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the roles declare, and what of it can not be meant."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.services import (
    PORTS,
    Refused,
    listener_port,
    others,
    port_ranges,
    read_services,
    select,
)
from hypothesis import given
from hypothesis import strategies as st

SMTP = {"name": "smtp", "port": "25", "listener": "smtp/inet"}
SUBMISSION = {"name": "submission", "port": "587", "listener": "submission/inet"}
SUBMISSIONS = {"name": "submissions", "port": "465", "listener": "submissions/inet"}
THREE = [SMTP, SUBMISSION, SUBMISSIONS]


def test_without_the_list_there_is_the_service_of_the_guide() -> None:
    (service,) = read_services({})
    assert (service.name, service.listener, service.server_port) == ("smtp", "smtp/inet", 25)
    assert service.farm == {
        "protocol": "tcp",
        "port": 25,
        "balance": "roundrobin",
        "stickiness": None,
        "probe": {"type": "smtp", "interval": 30, "port": None, "force_ssl": False},
    }
    assert service.server == {
        "port": None,
        "status": "active",
        "probe": True,
        "proxy_protocol_version": "v1",
        "weight": 1,
        "backup": False,
        "ssl": False,
        "on_marked_down": None,
    }
    assert service.frontend == {
        "protocol": "tcp",
        "port": "25",
        "default_farm": "smtp",
        "dedicated_ipfo": [],
        "allowed_source": [],
        "denied_source": [],
        "disabled": False,
        "ssl": False,
    }


def test_the_load_balancer_sends_to_the_port_that_postfix_listens_on() -> None:
    """One role must not read submission as 587 while the other falls back to 25."""
    (service,) = read_services({}, {"listener": "submission/inet"})
    assert service.farm["port"] == service.server_port == service.listener_port == 587


@pytest.mark.parametrize(
    ("listener", "port"),
    [
        ("smtp/inet", 25),
        ("submission/inet", 587),
        ("submissions/inet", 465),
        ("smtps/inet", 465),
        ("10025/inet", 10025),
        ("192.0.2.11:10025/inet", 10025),
        ("[2001:db8::1]:submission/inet", 587),
        ("localmail/inet", None),
    ],
)
def test_a_listener_has_one_port(listener: str, port: int | None) -> None:
    assert listener_port(listener) == port


def test_three_services_each_have_their_own_ports_and_tls() -> None:
    services = read_services({"services": THREE})
    assert [(item.name, item.port, item.server_port, item.tls) for item in services] == [
        ("smtp", "25", 25, "none"),
        ("submission", "587", 587, "starttls"),
        ("submissions", "465", 465, "implicit"),
    ]
    assert [item.farm["probe"]["force_ssl"] for item in services] == [False, False, True]


def test_the_variables_are_the_defaults_of_every_service_and_an_entry_wins() -> None:
    common = {
        "zones": ["gra"],
        "proxy_protocol_version": "v1",
        "farm_options": {"balance": "leastconn", "stickiness": "sourceIp"},
        "server_options": {"weight": 7},
    }
    own = {**SUBMISSION, "zones": "rbx", "proxy_protocol_version": None, "farm_options": {"balance": "first"}}
    smtp, submission = read_services({**common, "services": [SMTP, own]}, {"trusted_clients": []})
    assert (smtp.zones, smtp.proxy_protocol_version, smtp.trusted_clients) == (["gra"], "v1", [])
    assert (submission.zones, submission.proxy_protocol_version) == (["rbx"], None)
    assert smtp.server["weight"] == 1, "a host's own options are those of its servers alone"
    assert (submission.farm["balance"], submission.farm["stickiness"]) == ("first", "sourceIp")


def test_the_port_of_the_one_service_is_not_that_of_each() -> None:
    services = read_services({"server_port": 10025, "services": THREE}, {"listener": "10025/inet"})
    assert [item.server_port for item in services] == [25, 587, 465]


def test_a_frontend_that_ends_tls_has_no_tls_behind_it() -> None:
    (service,) = read_services(
        {"services": [{"name": "s", "port": "465", "listener": "10465/inet", "frontend_options": {"ssl": True}}]}
    )
    assert (service.tls, service.farm["probe"]["force_ssl"]) == ("none", False)


def test_a_service_may_do_without_a_probe() -> None:
    (service,) = read_services({"services": [{**SMTP, "probe": None}]})
    assert (service.farm["probe"], service.server["probe"]) == (None, False)


USUAL = {"type": "smtp", "interval": 30, "port": None, "force_ssl": False}
WITH_TLS = {**USUAL, "force_ssl": True}


@pytest.mark.parametrize(
    ("variables", "probe"),
    [
        ({"farm_options": {"probe": {"interval": 60}}}, {**USUAL, "interval": 60}),
        ({"services": [{**SMTP, "probe": {"interval": 60}}]}, {**USUAL, "interval": 60}),
        ({"services": [SUBMISSIONS], "farm_options": {"probe": {"interval": 60}}}, {**WITH_TLS, "interval": 60}),
        ({"services": [{**SUBMISSIONS, "farm_options": {"probe": {"port": 25}}}]}, {**WITH_TLS, "port": 25}),
        ({"services": [{**SMTP, "probe": {}}]}, USUAL),
        ({"services": [{**SMTP, "probe": {"type": "http", "url": "/up"}}]}, {**USUAL, "type": "http", "url": "/up"}),
    ],
)
def test_what_is_said_of_the_probe_is_added_to_the_usual_one(variables: dict[str, Any], probe: dict[str, Any]) -> None:
    (service,) = read_services(variables)
    assert (service.farm["probe"], service.server["probe"]) == (probe, True)


def test_the_options_of_an_entry_s_probe_win_over_those_of_all() -> None:
    common = {"farm_options": {"probe": {"interval": 60, "port": 26}}}
    entries = [{**SMTP, "probe": {"port": 27}}, {**SUBMISSION, "farm_options": {"probe": {"interval": 90}}}]
    smtp, submission = read_services({**common, "services": entries})
    assert smtp.farm["probe"] == {**USUAL, "interval": 60, "port": 27}
    assert submission.farm["probe"] == {**USUAL, "interval": 90, "port": 26}


def test_one_service_may_have_a_probe_where_the_others_have_none() -> None:
    smtp, submission = read_services(
        {"farm_options": {"probe": None}, "services": [SMTP, {**SUBMISSION, "probe": {"interval": 60}}]}
    )
    assert (smtp.farm["probe"], smtp.server["probe"]) == (None, False)
    assert (submission.farm["probe"], submission.server["probe"]) == ({**USUAL, "interval": 60}, True)


@pytest.mark.parametrize("kind", ["tcp", "oco"])
def test_a_probe_that_takes_no_tls_is_given_none(kind: str) -> None:
    """The API's modules refuse the option for it, and nobody wrote it."""
    (service,) = read_services({"services": [{**SUBMISSIONS, "probe": {"type": kind}}]})
    assert service.farm["probe"] == {"type": kind, "interval": 30, "port": None}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no service": ({"services": []}, "smtp_load_balancer_services is empty"),
    "not a list": ({"services": {"name": "smtp"}}, "smtp_load_balancer_services is empty"),
    "not a dictionary": ({"services": ["smtp"]}, r"services\[0\] is not a dictionary"),
    "a misspelt option": ({"services": [{**SMTP, "lisener": "x"}]}, "no option lisener"),
    "no listener": ({"services": [{"name": "smtp", "port": "25"}]}, "needs listener"),
    "a name twice": ({"services": [SMTP, {**SUBMISSION, "name": "smtp"}]}, "name smtp twice"),
    "a listener twice": ({"services": [SMTP, {**SUBMISSION, "listener": "smtp/inet"}]}, "smtp and submission have one"),
    "a listener by two names": (
        {"services": [SUBMISSIONS, {**SMTP, "name": "s", "listener": "smtps/inet"}]},
        "submissions and s have one listener",
    ),
    "a port twice": ({"services": [SMTP, {**SUBMISSION, "port": 25}]}, "smtp and submission are on one port"),
    "a port in a range": ({"services": [SMTP, {**SUBMISSION, "port": "20-30,587"}]}, "are on one port"),
    "a port twice, all zones": (
        {"services": [SMTP, {**SUBMISSION, "port": "25", "zones": ["gra"]}]},
        "zones that do not overlap",
    ),
    "a listener without a port": ({"services": [{**SMTP, "listener": "localmail/inet"}]}, "write its number"),
    "no listener at all": ({"services": [{**SMTP, "listener": "smtpd/pass"}]}, "must be a service of master.cf"),
    "no zone": ({"zones": []}, "smtp_load_balancer_zones is empty"),
    "no zone of a service": ({"services": [{**SMTP, "zones": []}]}, "services, smtp: zones is empty"),
    "no port number": ({"services": [{**SMTP, "port": "smtp"}]}, "services, smtp: port must be a port"),
    "an unknown version": ({"proxy_protocol_version": "v3"}, "must be one of v1, v2"),
    "an unknown state": ({"services": [{**SMTP, "state": "gone"}]}, "must be present or absent"),
    "options of another kind": ({"farm_options": ["balance"]}, "smtp_load_balancer_farm_options must be a dictionary"),
    "a probe of another kind": (
        {"services": [{**SMTP, "probe": "smtp"}]},
        "services, smtp: probe must be a dictionary",
    ),
    "a probe of nothing": ({"services": [{**SMTP, "probe": ""}]}, "null for none"),
    "the same, in farm_options": (
        {"farm_options": {"probe": ["smtp"]}},
        r"smtp_load_balancer_farm_options has a probe that must be a dictionary, such as \{interval: 60\}, or null",
    ),
    "the same, of an entry": (
        {"services": [{**SMTP, "farm_options": {"probe": "smtp"}}]},
        "services, smtp: farm_options has a probe that must be a dictionary",
    ),
    "a server port of words": ({"server_port": "smtp"}, "smtp_load_balancer_server_port must be a port number"),
    "no server port": ({"services": [{**SMTP, "server_port": 0}]}, "services, smtp: server_port must be a port number"),
    "a check without TLS on 465": ({"services": [{**SUBMISSIONS, "probe": {"force_ssl": False}}]}, "force_ssl: true"),
    "a check without TLS on a port that is a text": (
        {"services": [{**SUBMISSIONS, "probe": {"force_ssl": False, "port": "465"}}]},
        "force_ssl: true",
    ),
    "a check without TLS, by farm_options": (
        {"services": [{**SUBMISSIONS, "farm_options": {"probe": {"force_ssl": False}}}]},
        "force_ssl: true",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_meant_is_refused_with_variable_and_remedy(name: str) -> None:
    variables, message = REFUSED[name]
    with pytest.raises(Refused, match=message):
        read_services(variables)


def test_the_variable_of_the_other_role_is_named() -> None:
    with pytest.raises(Refused, match="postfix_backend_listener must be a service"):
        read_services({}, {"listener": "smtpd/pass"})


@pytest.mark.parametrize(
    "services",
    [
        [{**SMTP, "zones": ["gra"]}, {**SUBMISSION, "port": "25", "zones": ["rbx"]}],
        [SMTP, {**SUBMISSION, "port": "25", "dedicated_ipfo": ["198.51.100.77"]}],
        [SMTP, {**SUBMISSION, "port": "25", "state": "absent"}],
        [{**SUBMISSIONS, "probe": {"type": "tcp", "force_ssl": False}}],
        [{**SUBMISSIONS, "probe": {"force_ssl": False, "port": 25}}],
        [{**SUBMISSIONS, "server_options": {"ssl": True}, "probe": {"force_ssl": False}}],
    ],
)
def test_what_may_be_meant_is_not_refused(services: list[dict[str, Any]]) -> None:
    assert len(read_services({"services": services})) == len(services)


def test_a_roll_out_can_be_limited() -> None:
    services = read_services({"services": THREE})
    assert [item.name for item in select(services, ["submission"])] == ["submission"]
    assert select(services, None) == select(services, "all") == services


@pytest.mark.parametrize("only", [["submision"], []])
def test_a_limit_that_limits_to_nothing_is_refused(only: list[str]) -> None:
    with pytest.raises(Refused, match="smtp_load_balancer_only"):
        select(read_services({"services": THREE}), only)


PORT = st.integers(1, 49151)


@given(st.lists(st.tuples(PORT, st.sampled_from(("gra", "rbx", "all")), st.booleans()), min_size=1, max_size=5))
def test_no_two_services_ever_share_a_port_of_a_zone(drawn: list[tuple[int, str, bool]]) -> None:
    entries = [
        {
            "name": f"s{number}",
            "port": port,
            "listener": f"{20000 + number}/inet",
            "zones": [zone],
            "state": "present" if present else "absent",
        }
        for number, (port, zone, present) in enumerate(drawn)
    ]
    places = [
        (port, place)
        for port, zone, present in drawn
        if present
        for place in (("gra", "rbx") if zone == "all" else (zone,))
    ]
    try:
        read_services({"services": entries})
    except Refused:
        assert len(set(places)) < len(places)
    else:
        assert len(set(places)) == len(places)


@given(PORT, PORT)
def test_ports_are_read_as_they_are_written(first: int, last: int) -> None:
    low, high = sorted((first, last))
    assert port_ranges(f"{low}-{high},{first}") == [(low, high), (first, first)]


@pytest.mark.parametrize("name", PORTS)
def test_every_name_is_that_of_the_hosts(name: str) -> None:
    with open("/etc/services", encoding="utf-8") as services:
        lines = [line.partition("#")[0].split() for line in services]
    known = {word: int(line[1].partition("/")[0]) for line in lines if line for word in (line[0], *line[2:])}
    assert known.get(name, PORTS[name]) == PORTS[name]


@pytest.mark.parametrize(
    ("options", "instead"),
    [
        ({"server_options": {"proxy_protocol_version": None}}, "proxy_protocol_version"),
        ({"server_options": {"port": 26}}, "server_port"),
        ({"farm_options": {"port": 26}}, "server_port"),
        ({"frontend_options": {"port": "26"}}, "port"),
        ({"frontend_options": {"default_farm": "other"}}, "name"),
    ],
)
def test_what_postfix_has_to_know_is_said_once(options: dict[str, Any], instead: str) -> None:
    (kind, values) = next(iter(options.items()))
    (key,) = values
    with pytest.raises(Refused, match=f"submissions: {kind} can not have {key}, .*write it as {instead}$"):
        read_services({"services": [{**SUBMISSIONS, **options}]})
    if kind != "server_options":  # a host's own are judged where its servers are made
        with pytest.raises(Refused, match=f"smtp_load_balancer_{kind} can not have {key}"):
            read_services({kind: values})


def test_a_run_over_some_services_is_not_about_the_others_nor_about_what_is_absent() -> None:
    services = read_services({"services": [SUBMISSIONS, {**SUBMISSIONS, "name": "a", "port": 1, "listener": "1/inet"}]})
    gone = read_services(
        {
            "services": [
                {**SUBMISSIONS, "state": "absent"},
                {**SUBMISSIONS, "name": "a", "port": 1, "listener": "1/inet"},
            ]
        }
    )
    assert others(services, services[:1]) == services[1:]
    assert others(services, services) == []
    assert others(gone, gone) == gone[:1]


@pytest.mark.parametrize(("text", "meant"), [("false", False), ("True", True), ("no", False), ("1", True)])
def test_the_text_of_a_switch_is_what_it_means(text: str, meant: bool) -> None:
    """Templates make texts: "false" is no TLS at the load balancer, and no TLS of its checks."""
    entry = {**SUBMISSIONS, "frontend_options": {"ssl": text}, "server_options": {"ssl": "true", "backup": text}}
    (service,) = read_services({"services": [entry]})
    assert (service.frontend["ssl"], service.server["backup"], service.server["ssl"]) == (meant, meant, True)
    assert (service.tls == "implicit") is not meant


def test_a_check_without_tls_is_refused_also_where_that_is_a_text() -> None:
    with pytest.raises(Refused, match="set force_ssl: true"):
        read_services({"services": [{**SUBMISSIONS, "probe": {"force_ssl": "false"}}]})
    (service,) = read_services({"services": [{**SUBMISSIONS, "probe": {"force_ssl": "yes"}}]})
    assert service.farm["probe"]["force_ssl"] is True
