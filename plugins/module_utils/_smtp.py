# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speak SMTP to a server, behind a PROXY header or not. Private to the collection.

The server's refusals are answers, not errors: a conversation always comes back as a Transcript, however far it got.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import smtplib
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

Address = tuple[str, int]

# haproxy, doc/proxy-protocol.txt, section 2.2
_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_PROXY_COMMAND = 0x21
_V2_FAMILIES = {4: 0x11, 6: 0x21}


def proxy_header(version: str, source: Address, destination: Address) -> bytes:
    """A PROXY protocol header, ``v1`` or ``v2``. Raises ValueError for addresses that can not stand together."""
    source_ip = ipaddress.ip_address(source[0])
    destination_ip = ipaddress.ip_address(destination[0])
    if source_ip.version != destination_ip.version:
        raise ValueError(f"a PROXY header can not combine {source_ip} and {destination_ip}: give two IPv4 or two IPv6")
    if version == "v1":
        family = "TCP4" if source_ip.version == 4 else "TCP6"
        return f"PROXY {family} {source_ip} {destination_ip} {source[1]} {destination[1]}\r\n".encode()
    body = source_ip.packed + destination_ip.packed + struct.pack("!HH", source[1], destination[1])
    return _V2_SIGNATURE + struct.pack("!BBH", _V2_PROXY_COMMAND, _V2_FAMILIES[source_ip.version], len(body)) + body


@dataclass(frozen=True)
class Message:
    subject: str = ""
    body: str = ""


@dataclass(frozen=True)
class Talk:
    """A conversation to have: always banner, EHLO and QUIT, and more where it is asked for."""

    host: str
    port: int = 25
    timeout: float = 10.0
    """Seconds that each answer may take."""
    source_address: str | None = None
    proxy: str = "none"
    proxy_source: tuple[str | None, int | None] = (None, None)
    """What the header claims; None stands for the connection's own address or port."""
    proxy_destination: tuple[str | None, int | None] = (None, None)
    tls: str = "none"
    """``none``, ``starttls``, ``implicit``, or ``offered``: STARTTLS if the server has it."""
    validate_certs: bool = True
    ehlo_name: str | None = None
    mail_from: str | None = None
    rcpt_to: Sequence[str] = ()
    message: Message | None = None


@dataclass
class Reply:
    command: str
    code: int
    text: str


@dataclass
class Transcript:
    """What the server said. ``error`` says why the conversation ended early, if it did."""

    banner: Reply | None = None
    replies: list[Reply] = field(default_factory=list)
    """Everything after the banner, in order."""
    capabilities: dict[str, str] = field(default_factory=dict)
    local_address: Address | None = None
    peer_address: Address | None = None
    tls_version: str | None = None
    accepted: bool = False
    """The server took responsibility for the message."""
    message_id: str | None = None
    duration: float = 0.0
    error: str | None = None


class _Session(smtplib.SMTP):
    """smtplib with a PROXY header, and TLS if wanted, before the banner."""

    def __init__(self, talk: Talk, transcript: Transcript) -> None:
        self._talk = talk
        self._transcript = transcript
        super().__init__(timeout=talk.timeout, local_hostname=talk.ehlo_name)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        source = (self._talk.source_address, 0) if self._talk.source_address else None
        connection = socket.create_connection((host, port), timeout, source)
        self._host = host  # smtplib checks the certificate against this name
        self._transcript.local_address = connection.getsockname()[:2]
        self._transcript.peer_address = connection.getpeername()[:2]
        if self._talk.proxy != "none":
            # One write before anything else: Postfix refuses a header that arrives in pieces.
            connection.sendall(_talk_header(self._talk, connection))
        if self._talk.tls == "implicit":
            return _context(self._talk).wrap_socket(connection, server_hostname=host)
        return connection


def _talk_header(talk: Talk, connection: socket.socket) -> bytes:
    local, peer = connection.getsockname(), connection.getpeername()
    return proxy_header(
        talk.proxy,
        (talk.proxy_source[0] or local[0], talk.proxy_source[1] or local[1]),
        (talk.proxy_destination[0] or peer[0], talk.proxy_destination[1] or peer[1]),
    )


def _context(talk: Talk) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not talk.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def converse(talk: Talk) -> Transcript:
    """Have the conversation. Raises ValueError only for a header that can not be written."""
    transcript = Transcript()
    started = time.monotonic()
    session = _Session(talk, transcript)
    try:
        _converse(talk, session, transcript)
    except (OSError, smtplib.SMTPException) as error:
        transcript.error = str(error) or type(error).__name__
    finally:
        session.close()
        transcript.duration = round(time.monotonic() - started, 3)
    return transcript


def _converse(talk: Talk, session: _Session, transcript: Transcript) -> None:
    transcript.banner = _reply("CONNECT", session.connect(talk.host, talk.port))
    if transcript.banner.code != 220:
        return
    if not _say_hello(session, transcript):
        return
    if talk.tls == "starttls" or (talk.tls == "offered" and session.has_extn("starttls")):
        transcript.replies.append(_start_tls(talk, session))
        if transcript.replies[-1].code != 220 or not _say_hello(session, transcript):
            return
    if isinstance(session.sock, ssl.SSLSocket):
        transcript.tls_version = session.sock.version()
    if talk.mail_from is not None:
        _deliver(talk, session, transcript)
    # Some servers close instead of answering; what counts has been said.
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        transcript.replies.append(_reply("QUIT", session.docmd("QUIT")))


def _start_tls(talk: Talk, session: _Session) -> Reply:
    try:
        return _reply("STARTTLS", session.starttls(context=_context(talk)))
    except smtplib.SMTPResponseException as refused:
        return _reply("STARTTLS", (refused.smtp_code, _bytes(refused.smtp_error)))


def _say_hello(session: _Session, transcript: Transcript) -> bool:
    reply = _reply("EHLO", session.ehlo())
    transcript.replies.append(reply)
    transcript.capabilities = dict(session.esmtp_features)
    return reply.code == 250


def _deliver(talk: Talk, session: _Session, transcript: Transcript) -> None:
    """Sender, recipients and, if all were taken, the message; otherwise the transaction is reset."""

    def say(command: str, answer: tuple[int, bytes]) -> bool:
        transcript.replies.append(_reply(command, answer))
        return answer[0] in (250, 251)

    taken = say("MAIL", session.mail(talk.mail_from or ""))
    for recipient in talk.rcpt_to if taken else ():
        taken = say("RCPT", session.rcpt(recipient)) and taken
    if not taken or talk.message is None or not talk.rcpt_to:
        say("RSET", session.docmd("RSET"))
        return
    mail = _mail(talk, talk.message)
    transcript.message_id = mail["Message-ID"]
    try:
        transcript.accepted = say("DATA", session.data(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))))
    except smtplib.SMTPDataError as error:
        say("DATA", (error.smtp_code, _bytes(error.smtp_error)))


def _mail(talk: Talk, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = talk.mail_from or "MAILER-DAEMON"
    mail["To"] = ", ".join(talk.rcpt_to)
    mail["Subject"] = message.subject
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain=talk.ehlo_name)
    mail.set_content(message.body)
    return mail


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _reply(command: str, answer: tuple[int, bytes]) -> Reply:
    return Reply(command, answer[0], answer[1].decode("utf-8", "replace"))


def greeting(
    address: str, port: int, header: str = "none", implicit_tls: bool = False, timeout: float = 10.0
) -> tuple[int | None, str]:
    """The code and the text of the first line a server greets with.

    The code is None where the server hung up or never answered; the text then says what happened.
    """
    talk = Talk(address, port, timeout, proxy=header, validate_certs=False)
    try:
        with socket.create_connection((address, port), timeout) as connection:
            if header != "none":
                connection.sendall(_talk_header(talk, connection))
            if implicit_tls:
                with _context(talk).wrap_socket(connection) as wrapped:
                    return _first_line(wrapped)
            return _first_line(connection)
    except OSError as error:
        return None, str(error)


def refusal(address: str, port: int, implicit_tls: bool = False, timeout: float = 10.0) -> tuple[int | None, str]:
    """What a server that waits for a PROXY header says to a client that begins with something else.

    Postfix answers at once then, with 421 (before 3.5 it only hung up, which counts as 421 here). It does so in clear
    where TLS comes first, too; there one that waits for no header hangs up, or sends a TLS alert.
    """
    hung_up = None if implicit_tls else 421
    try:
        with socket.create_connection((address, port), timeout) as connection:
            connection.sendall(b"QUIT\r\n")
            code, text = _first_line(connection)
            return (code, text) if text else (hung_up, "hung up")
    except ConnectionResetError:
        return hung_up, "hung up"
    except OSError as error:
        return None, str(error)


def _first_line(connection: socket.socket) -> tuple[int | None, str]:
    with connection.makefile("rb") as stream:
        line = stream.readline(1000).decode("utf-8", "replace").strip()
    return (int(line[:3]) if line[:3].isdigit() else None), line


def missed_expectations(
    transcript: Transcript,
    code: int | None = None,
    banner: str | None = None,
    capabilities: Sequence[str] = (),
    ehlo_code: int | None = None,
    mail_code: int | None = None,
    rcpt_code: int | None = None,
    accepted: bool | None = None,
    tls: bool = False,
) -> list[str]:
    """In words, what a conversation was expected to bring and did not."""
    said = f"{transcript.banner.code} {transcript.banner.text}" if transcript.banner else "nothing"
    because = f" ({transcript.error})" if transcript.error else ""
    missed = []
    if code is not None and (transcript.banner is None or transcript.banner.code != code):
        missed.append(f"expected a greeting with {code}, got {said}{because}")
    if banner is not None and not (transcript.banner and re.search(banner, transcript.banner.text)):
        missed.append(f"expected a greeting that contains {banner}, got {said}{because}")
    absent = [name for name in capabilities if name.lower() not in transcript.capabilities]
    if absent:
        missed.append(f"expected {', '.join(absent)} among the capabilities{because}")
    expected = (("EHLO", "EHLO", ehlo_code), ("MAIL", "the sender", mail_code), ("RCPT", "each recipient", rcpt_code))
    for command, what, wanted in expected:
        answers = [reply for reply in transcript.replies if reply.command == command]
        wrong = [reply for reply in answers if reply.code != wanted]
        if wanted is not None and (wrong or not answers):
            got = f"{wrong[0].code} {wrong[0].text}" if wrong else "no answer to it"
            missed.append(f"expected {wanted} for {what}, got {got}{because}")
    if tls and transcript.banner and transcript.tls_version is None:
        refused = [f", got {reply.code} {reply.text}" for reply in transcript.replies if reply.command == "STARTTLS"]
        missed.append(f"expected TLS{''.join(refused)}{because}")
    if accepted is not None and transcript.accepted != accepted:
        last = transcript.replies[-2:-1] or transcript.replies
        got = f"{last[0].command} was answered {last[0].code} {last[0].text}" if last else f"got {said}"
        missed.append(f"expected the message to be {'taken' if accepted else 'refused'}; {got}{because}")
    return missed
