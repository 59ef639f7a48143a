# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several listeners of a real Postfix in one transaction, and how far the proof of each goes."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Request,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preparation import Prepared, prepare
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.transaction import Transaction
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import Talk, converse, greeting, refusal

from tools.ports import free_port
from unit.plugins.module_utils.postfix.postfix_instance import PARTNER, PrivatePostfix, is_possible, private_postfix

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_possible(), reason="needs root and Postfix")]

TIMEOUT = 20


@pytest.fixture(scope="module")
def instance() -> Iterator[PrivatePostfix]:
    with private_postfix() as postfix:
        yield postfix


@pytest.fixture
def postfix(instance: PrivatePostfix) -> PrivatePostfix:
    instance.command("stop")
    instance.reset()
    return instance


Plan = Callable[..., Prepared]


@pytest.fixture
def plan(tmp_path: Path, postfix: PrivatePostfix) -> Plan:
    def prepare_in_a_copy(request: Request, apply: str = "reload") -> Prepared:
        copy = tmp_path / str(len(list(tmp_path.iterdir())))
        copy.mkdir()
        return prepare(postfix.directory, request, apply, str(copy))

    return prepare_in_a_copy


def run(plan: Plan, request: Request, apply: str = "reload", timeout: float = TIMEOUT) -> list[str]:
    """Carry a request out; what the operator is told."""
    prepared = plan(request, apply)
    change = Transaction(prepared, timeout)
    if prepared.changed:
        change.run()
    return [*prepared.warnings, *change.warnings]


def listeners(*ports: int, absent: tuple[int, ...] = ()) -> Request:
    here = [Listener(f"{port}/inet", trusted_clients=()) for port in ports]
    return Request(listeners=(*here, *(Listener(f"{port}/inet", present=False) for port in absent)))


def add(postfix: PrivatePostfix, name: str, text: str) -> None:
    """As an administrator adds a line."""
    host.write_text(str(postfix.file(name)), postfix.file(name).read_text() + text)


def states(postfix: PrivatePostfix) -> list[int | None]:
    """How each of the instance's three ports answers a client without a header."""
    return [postfix.greeting(port=port) for port in (postfix.smtp, postfix.plain, postfix.screen)]


# Several at once -----------------------------------------------------------------------------------------------------


def test_listeners_come_and_go_in_one_change_and_each_is_guarded(postfix: PrivatePostfix, plan: Plan) -> None:
    first = listeners(postfix.smtp, postfix.screen)
    run(plan, first)
    assert states(postfix) == [421, 220, 421]
    assert not plan(first).changed

    second = listeners(postfix.smtp, postfix.plain, absent=(postfix.screen,))
    run(plan, second)
    assert states(postfix) == [421, 421, 220]
    for port in (postfix.smtp, postfix.plain):
        assert postfix.greeting("v1", port) == 220
        assert not postfix.relays("v1", PARTNER, port)
    assert "smtp_upstream_proxy_protocol = haproxy\n" in postfix.file("main.cf").read_text()
    assert not plan(second).changed

    run(plan, listeners(absent=(postfix.smtp, postfix.plain, postfix.screen)))
    assert states(postfix) == [220, 220, 220]
    assert "upstream_proxy" not in postfix.file("main.cf").read_text() + postfix.file("master.cf").read_text()


def test_a_listener_that_the_list_no_longer_names_goes_on_serving(postfix: PrivatePostfix, plan: Plan) -> None:
    run(plan, listeners(postfix.smtp, postfix.plain))
    assert not plan(listeners(postfix.smtp)).changed
    run(plan, listeners(absent=(postfix.smtp,)))
    assert states(postfix) == [220, 421, 220]
    assert postfix.greeting("v1", postfix.plain) == 220


def test_two_ports_of_postscreen_share_the_guard_until_the_last_one_goes(postfix: PrivatePostfix, plan: Plan) -> None:
    other = free_port()
    add(postfix, "main.cf", "postscreen_cache_map = proxy:btree:$data_directory/cache\npostscreen_greet_wait = 1s\n")
    add(postfix, "master.cf", f"127.0.0.1:{other} inet n - n - 1 postscreen\n")
    names = (f"{postfix.screen}/inet", f"127.0.0.1:{other}/inet")
    screens = tuple(Listener(name, trusted_clients=()) for name in names)
    run(plan, Request(services={"smtpd/pass": {"smtpd_authorized_xclient_hosts": "192.0.2.1"}}))
    run(plan, Request(listeners=(screens[0],)))
    run(plan, Request(listeners=screens))
    assert not plan(Request(listeners=screens)).changed

    run(plan, Request(listeners=(screens[0], replace(screens[1], present=False))))
    assert not postfix.relays("v1", PARTNER, postfix.screen)
    assert "smtpd_authorized_xclient_hosts=\n" in postfix.file("master.cf").read_text()
    run(plan, Request(listeners=tuple(replace(screen, present=False) for screen in screens)))
    assert "smtpd_authorized_xclient_hosts=192.0.2.1\n" in postfix.file("master.cf").read_text()


def test_sessions_of_the_other_listeners_are_not_cut_when_one_comes_or_goes(
    postfix: PrivatePostfix, plan: Plan
) -> None:
    assert plan(listeners(postfix.smtp), "auto").apply == "restart"
    run(plan, listeners(postfix.smtp), "auto")
    with socket.create_connection(("127.0.0.1", postfix.smtp), 10) as session, session.makefile("rwb") as smtp:
        session.sendall(b"PROXY TCP4 203.0.113.10 127.0.0.1 4000 25\r\n")
        assert smtp.readline().startswith(b"220")
        for request in (listeners(postfix.smtp, postfix.plain), listeners(postfix.smtp, absent=(postfix.plain,))):
            prepared = plan(request, "auto")
            assert prepared.apply == "reload"
            Transaction(prepared, TIMEOUT).run()
        smtp.write(b"NOOP\r\n")
        smtp.flush()
        assert smtp.readline().startswith(b"250")
    assert plan(listeners(absent=(postfix.smtp,)), "auto").apply == "restart"
    with_more = replace(listeners(postfix.smtp, postfix.plain), parameters={"smtpd_helo_required": "yes"})
    assert plan(with_more, "auto").apply == "restart"


def test_a_failure_of_one_listener_brings_all_back(postfix: PrivatePostfix, plan: Plan) -> None:
    before = [postfix.file(name).read_text() for name in ("main.cf", "master.cf")]
    impossible = f"{'x' * 200}/unix"  # the path of its socket is too long
    request = replace(
        listeners(postfix.smtp, postfix.plain), new_services={impossible: Entry(impossible, command="error")}
    )
    with pytest.raises(PostfixError, match="previous files are back and Postfix runs as before"):
        run(plan, request)
    assert [postfix.file(name).read_text() for name in ("main.cf", "master.cf")] == before
    assert states(postfix) == [220, 220, 220]


# TLS -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls(postfix: PrivatePostfix) -> PrivatePostfix:
    """A certificate in main.cf, and STARTTLS where a service asks for it."""
    key, certificate = postfix.root / "key.pem", postfix.root / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=backend.example.test", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    add(postfix, "main.cf", f"smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n")
    return postfix


def test_where_tls_comes_first_the_header_is_proved_with_tls_and_the_refusal_in_clear(
    tls: PrivatePostfix, plan: Plan
) -> None:
    port = free_port()
    add(tls, "master.cf", f"{port} inet n - n - - smtpd\n    -o smtpd_tls_wrappermode=yes\n")
    tls.command("reload")
    run(plan, listeners(tls.smtp, port))
    assert greeting("127.0.0.1", port, "v1", implicit_tls=True)[0] == 220
    assert refusal("127.0.0.1", port, implicit_tls=True)[0] == 421
    assert greeting("127.0.0.1", port, implicit_tls=True)[0] is None
    run(plan, listeners(absent=(port,)))
    assert greeting("127.0.0.1", port, implicit_tls=True)[0] == 220
    assert refusal("127.0.0.1", port, implicit_tls=True)[0] is None, "hanging up is no proof that a header is expected"


def test_a_change_that_breaks_starttls_is_taken_back(tls: PrivatePostfix, plan: Plan) -> None:
    service = f"{tls.plain}/inet"
    assert run(plan, Request(services={service: {"smtpd_tls_security_level": "encrypt"}})) == []
    with pytest.raises(PostfixError, match=rf"{service} .*STARTTLS.*previous files are back"):
        run(plan, Request(services={service: {"smtpd_tls_cert_file": "/no/such/file"}}), timeout=2)
    answer = converse(Talk("127.0.0.1", tls.plain, tls="starttls", validate_certs=False, ehlo_name="x", mail_from=""))
    assert answer.tls_version is not None
    assert answer.replies[-2].code == 250


# How far the proof goes ----------------------------------------------------------------------------------------------


def milter(port: int) -> dict[str, str | None]:
    return {"smtpd_milters": f"inet:127.0.0.1:{port}", "milter_connect_timeout": "2s"}


def test_a_change_that_stops_mail_behind_the_greeting_is_taken_back(postfix: PrivatePostfix, plan: Plan) -> None:
    """EHLO is answered as ever by a Postfix whose milter is down, and MAIL FROM with 451."""
    with pytest.raises(PostfixError, match=r"answers '451 .*' to MAIL FROM:<>.*previous files are back"):
        run(plan, Request(parameters=milter(free_port())), timeout=2)
    assert "milter" not in postfix.file("main.cf").read_text()


def test_a_milter_that_was_down_before_is_reported_and_fails_nothing(postfix: PrivatePostfix, plan: Plan) -> None:
    add(postfix, "main.cf", "".join(f"{name} = {value}\n" for name, value in milter(free_port()).items()))
    postfix.command("reload")
    said = run(plan, listeners(postfix.smtp))
    assert states(postfix) == [421, 220, 220]
    assert [text for text in said if "to MAIL FROM:<>; it was so before this change" in text]


# Refused before anything is written ----------------------------------------------------------------------------------


def test_a_port_that_another_entry_serves_is_no_port_of_its_own(postfix: PrivatePostfix, plan: Plan) -> None:
    service = f"{free_port()}/inet"
    add(postfix, "master.cf", f"127.0.0.1:{service.partition('/')[0]} inet n - n - - smtpd\n")
    with pytest.raises(PostfixError, match=rf"127\.0\.0\.1:{service} serves that port"):
        plan(Request(listeners=(Listener(service),)))
    with pytest.raises(PostfixError, match=r"would both listen on 127\.0\.0\.1 port"):
        plan(Request(new_services={service: Entry(service, private="n", command="smtpd")}))


def test_an_address_where_nobody_listens_is_refused_at_once(postfix: PrivatePostfix, plan: Plan) -> None:
    with pytest.raises(PostfixError, match=r"sends to 127\.0\.0\.9.*inet_interfaces = loopback-only"):
        plan(Request(listeners=(replace(listeners(postfix.smtp).listeners[0], server_address="127.0.0.9"),)))


def test_a_header_that_main_cf_asks_for_everywhere_is_not_left_behind(postfix: PrivatePostfix, plan: Plan) -> None:
    run(plan, listeners(postfix.smtp))
    add(postfix, "main.cf", "smtpd_upstream_proxy_protocol = haproxy\n")
    before = postfix.file("main.cf").read_text()
    with pytest.raises(PostfixError, match=rf"main\.cf line \d+, .*{postfix.plain}/inet inherits it too"):
        plan(listeners(absent=(postfix.smtp,)))
    assert postfix.file("main.cf").read_text() == before
    (said,) = plan(listeners(postfix.smtp)).warnings
    assert f"{postfix.plain}/inet expects a PROXY header too" in said


def test_another_port_that_inherits_the_guides_line_does_not_lose_its_header_without_a_word(
    postfix: PrivatePostfix, plan: Plan
) -> None:
    """The line goes with its last user, and main.cf may refer to it as well as an entry of master.cf."""
    run(plan, listeners(postfix.smtp))
    add(postfix, "main.cf", "smtpd_upstream_proxy_protocol = $smtp_upstream_proxy_protocol\n")
    before = postfix.file("main.cf").read_text()
    with pytest.raises(PostfixError, match=rf"main\.cf line \d+, .*{postfix.plain}/inet inherits it too"):
        plan(listeners(absent=(postfix.smtp,)))
    assert postfix.file("main.cf").read_text() == before
    run(plan, replace(listeners(absent=(postfix.smtp,)), parameters={"smtpd_upstream_proxy_protocol": None}))
    assert states(postfix) == [220, 220, 220]
    assert "upstream_proxy" not in postfix.file("main.cf").read_text()
