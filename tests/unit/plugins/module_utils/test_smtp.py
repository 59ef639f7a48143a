# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conversations with an SMTP server that understands PROXY headers by itself (aiosmtpd)."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import (
    Message,
    Talk,
    converse,
    greeting,
    missed_expectations,
    proxy_header,
    refusal,
)
from hypothesis import given
from hypothesis import strategies as st


class Mailbox:
    """Takes mail for example.test, and notes what PROXY headers said."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.proxied: list[Any] = []

    async def handle_PROXY(self, server: SMTP, session: Session, envelope: Envelope, data: Any) -> bool:  # noqa: N802
        self.proxied.append(data)
        return True

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.endswith("@example.test"):
            return "554 5.7.1 Relay access denied"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 Taken"


@contextmanager
def serving(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port: int = reserved.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ident="test server", **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def answering(line: bytes) -> Iterator[int]:
    """A server that says one line to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _peer = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_everything_the_server_says_comes_back() -> None:
    with serving(Mailbox()) as port:
        transcript = converse(Talk("127.0.0.1", port, ehlo_name="probe.example"))
    assert transcript.banner is not None
    assert (transcript.banner.code, "test server" in transcript.banner.text) == (220, True)
    assert [reply.command for reply in transcript.replies] == ["EHLO", "QUIT"]
    assert "8bitmime" in transcript.capabilities
    assert transcript.peer_address == ("127.0.0.1", port)
    assert transcript.error is None


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_server_learns_the_claimed_addresses(version: str) -> None:
    mailbox = Mailbox()
    with serving(mailbox, proxy_protocol_timeout=5.0) as port:
        transcript = converse(
            Talk(
                "127.0.0.1",
                port,
                proxy=version,
                proxy_source=("2001:db8::10", 4000),
                proxy_destination=("2001:db8::25", 25),
            )
        )
    assert transcript.banner is not None
    (data,) = mailbox.proxied
    claimed = [ipaddress.ip_address(str(data.src_addr)), ipaddress.ip_address(str(data.dst_addr))]
    assert claimed == [ipaddress.ip_address("2001:db8::10"), ipaddress.ip_address("2001:db8::25")]
    assert (data.src_port, data.dst_port) == (4000, 25)


def test_a_message_is_taken() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        talk = Talk(
            "127.0.0.1", port, mail_from="", rcpt_to=["a@example.test", "b@example.test"], message=Message("Hi", "Body")
        )
        transcript = converse(talk)
    assert transcript.accepted
    (envelope,) = mailbox.envelopes
    assert envelope.rcpt_tos == ["a@example.test", "b@example.test"]
    assert str(transcript.message_id).encode() in (envelope.original_content or b"")


def test_a_message_has_the_line_ends_of_smtp() -> None:
    """Many servers refuse others, since they smuggle mail in: Postfix with smtpd_forbid_bare_newline = reject."""
    mailbox = Mailbox()
    with serving(mailbox) as port:
        message = Message("Hi", "one\ntwo\r\n.\nthree")
        transcript = converse(Talk("127.0.0.1", port, mail_from="", rcpt_to=["a@example.test"], message=message))
    assert transcript.accepted
    (envelope,) = mailbox.envelopes
    content = envelope.original_content or b""
    assert b"one\r\ntwo\r\n.\r\nthree\r\n" in content
    assert content.count(b"\n") == content.count(b"\r\n")


def test_tls_that_was_asked_for_and_not_had_is_missed() -> None:
    with serving(Mailbox()) as port:
        transcript = converse(Talk("127.0.0.1", port, tls="starttls"))
    assert missed_expectations(transcript, ehlo_code=250) == []
    (missed,) = missed_expectations(transcript, ehlo_code=250, tls=True)
    assert "expected TLS" in missed
    assert "STARTTLS" in missed


def test_nothing_is_sent_when_a_recipient_is_refused() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        talk = Talk(
            "127.0.0.1", port, mail_from="x@y.example", rcpt_to=["a@other.example", "a@example.test"], message=Message()
        )
        transcript = converse(talk)
    codes = [(reply.command, reply.code) for reply in transcript.replies[1:]]
    assert codes == [("MAIL", 250), ("RCPT", 554), ("RCPT", 250), ("RSET", 250), ("QUIT", 221)]
    assert (transcript.accepted, mailbox.envelopes) == (False, [])


def test_a_refused_connection_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    transcript = converse(Talk("127.0.0.1", port))
    assert transcript.banner is None
    assert "refused" in str(transcript.error).lower()


def test_a_refusing_greeting_ends_the_conversation() -> None:
    with answering(b"421 4.3.0 come back\r\n") as port:
        transcript = converse(Talk("127.0.0.1", port, proxy="v1"))
    assert transcript.banner is not None
    assert (transcript.banner.code, transcript.replies) == (421, [])


def test_greeting_and_refusal_tell_the_two_kinds_of_listener_apart() -> None:
    with serving(Mailbox()) as port:
        assert greeting("127.0.0.1", port)[0] == 220
        assert refusal("127.0.0.1", port)[0] == 220
    with answering(b"421 4.3.0 no header\r\n") as port:
        assert refusal("127.0.0.1", port)[0] == 421
    with answering(b"") as port:
        assert refusal("127.0.0.1", port)[0] == 421


@pytest.mark.parametrize(
    ("said", "code"), [(b"421 4.3.0 no header\r\n", 421), (b"\x15\x03\x03\x00\x02\x02\x0a", None), (b"", None)]
)
def test_where_tls_comes_first_only_a_421_in_clear_shows_that_a_header_is_expected(
    said: bytes, code: int | None
) -> None:
    with answering(said) as port:
        assert refusal("127.0.0.1", port, implicit_tls=True)[0] == code


def test_expectations_are_judged_in_words() -> None:
    with serving(Mailbox()) as port:
        transcript = converse(Talk("127.0.0.1", port, mail_from="", rcpt_to=["a@other.example"]))
    met: dict[str, Any] = {"code": 220, "banner": "test.*server", "capabilities": ["8BITMIME"], "ehlo_code": 250}
    met.update(rcpt_code=554, mail_code=250)
    assert missed_expectations(transcript, accepted=False, **met) == []
    missed: dict[str, Any] = {"code": 421, "banner": "^Postfix", "capabilities": ["CHUNKING"], "rcpt_code": 250}
    for name, value in {**missed, "ehlo_code": 500, "mail_code": 451}.items():
        assert missed_expectations(transcript, **{**met, name: value})
    assert missed_expectations(transcript, accepted=True)


addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
)


@given(addresses, st.integers(1, 65535), st.integers(1, 65535))
def test_headers_have_the_length_and_fields_of_the_specification(
    pair: tuple[Any, Any], source_port: int, destination_port: int
) -> None:
    source, destination = (str(pair[0]), source_port), (str(pair[1]), destination_port)
    first = proxy_header("v1", source, destination)
    assert len(first) <= 107
    assert first.endswith(b"\r\n")
    assert first.split()[2:] == [str(word).encode() for word in (pair[0], pair[1], source_port, destination_port)]
    second = proxy_header("v2", source, destination)
    assert len(second) == 16 + (12 if pair[0].version == 4 else 36)
    assert pair[0].packed + pair[1].packed in second


def test_a_header_of_two_families_is_refused() -> None:
    with pytest.raises(ValueError, match="two IPv4 or two IPv6"):
        proxy_header("v1", ("192.0.2.1", 1), ("2001:db8::1", 2))
