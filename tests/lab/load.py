# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steady mail from several clients, as mail servers send it: what is not accepted is sent again, nothing is lost.

Runs in the client's place. Sends at least the asked-for messages, goes on until its input is closed, and then prints
one JSON object, see Report. Every message has a Message-ID of its own, ``<NUMBER@RUN>``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import smtplib
import ssl
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field

RECIPIENTS = ("alice@example.test", "bob@example.test")
LONGEST_SESSION = 5  # messages
SLOW_ONE_IN, PAUSE = 150, 4.0  # messages, seconds: so that there is always a session that lasts
TIMEOUT = 30  # seconds that a server may take to answer
LOGIN = ("alice", "alice-password")
FIRST_RETRY, LONGEST_RETRY = 0.2, 5.0  # seconds, doubled each time; mail servers wait minutes


@dataclass
class Report:
    """``accepted``: numbers of the messages that a server took over; ``refused``: of those refused for good (5xx).

    ``abnormal``: the sessions that saw anything but a normal SMTP answer, each as seconds since the start and what it
    saw. ``unclear`` of them broke off while a message was handed over: it is sent again, as it has to be, although the
    server may have taken it already. ``logins_cut``: the abnormal sessions of users who had logged in.
    """

    accepted: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    sessions: int = 0
    abnormal: list[str] = field(default_factory=list)
    unclear: int = 0
    logins_cut: int = 0
    seconds: float = 0


class Load:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.report = Report()
        self.ended = threading.Event()  # no more is wanted than the asked-for messages
        self._start = time.monotonic()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._services = itertools.cycle(options.services)

    def run(self) -> Report:
        sources = itertools.cycle(self.options.sources)
        clients = [
            threading.Thread(target=self._client, args=(next(sources),)) for dummy in range(self.options.clients)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.report.seconds = round(time.monotonic() - self._start, 1)
        return self.report

    def _client(self, source: str) -> None:
        """Send batches of messages, one session each; what was not accepted is sent again until it is."""
        while batch := self._take():
            retry, service = FIRST_RETRY, next(self._services)
            self._session(source, batch, service)
            while batch:
                time.sleep(retry)
                retry = min(2 * retry, LONGEST_RETRY)
                self._session(source, batch, service)

    def _take(self) -> deque[int]:
        """The next messages, not before their time; none at the end."""
        batch: deque[int] = deque()
        for number in itertools.islice(self._numbers, random.randint(1, LONGEST_SESSION)):
            time.sleep(max(0.0, self._start + number / self.options.rate - time.monotonic()))
            if not self.ended.is_set() or number < self.options.messages:
                batch.append(number)
        return batch

    def _session(self, source: str, batch: deque[int], service: str) -> None:
        """One SMTP session. Takes from the batch what was accepted or refused for good."""
        with self._lock:
            self.report.sessions += 1
        port, dummy, tls = service.partition(":")
        logged_in = False
        try:
            smtp = connect(self.options.host, int(port), tls, source)
        except (OSError, smtplib.SMTPException) as error:
            self._abnormal(error)
            return
        try:
            smtp.ehlo_or_helo_if_needed()
            if tls:
                log_in(smtp, tls)
                logged_in = True
            while batch:
                self._send(smtp, batch)
            expect(221, *smtp.quit())
        except (OSError, smtplib.SMTPException) as error:
            self._abnormal(error)
            self.report.logins_cut += logged_in
        finally:
            smtp.close()

    def _send(self, smtp: smtplib.SMTP, batch: deque[int]) -> None:
        number = batch[0]
        recipient = RECIPIENTS[number % len(RECIPIENTS)]
        try:
            expect(250, *smtp.mail("someone@sender.example"))
            expect(250, *smtp.rcpt(recipient))
            if number % SLOW_ONE_IN == 0:
                time.sleep(PAUSE)
            expect(250, *self._hand_over(smtp, message(number, self.options.run, recipient)))
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= 500:
                self.report.refused.append(batch.popleft())
            raise
        self.report.accepted.append(batch.popleft())

    def _hand_over(self, smtp: smtplib.SMTP, text: str) -> tuple[int, bytes]:
        try:
            return smtp.data(text)
        except smtplib.SMTPServerDisconnected:
            with self._lock:
                self.report.unclear += 1
            raise

    def _abnormal(self, error: Exception) -> None:
        self.report.abnormal.append(f"{time.monotonic() - self._start:.1f} s: {type(error).__name__}: {error}")


def connect(host: str, port: int, tls: str, source: str) -> smtplib.SMTP:
    name = "client.sender.example"
    if tls == "implicit":
        return smtplib.SMTP_SSL(host, port, name, timeout=TIMEOUT, source_address=(source, 0), context=context())
    return smtplib.SMTP(host, port, name, timeout=TIMEOUT, source_address=(source, 0))


def log_in(smtp: smtplib.SMTP, tls: str) -> None:
    if tls == "starttls":
        smtp.starttls(context=context())
    smtp.login(*LOGIN)


def context() -> ssl.SSLContext:
    """The hosts of the lab have Debian's snakeoil certificate."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def message(number: int, run: str, recipient: str) -> str:
    return (
        f"From: someone@sender.example\r\nTo: {recipient}\r\nSubject: load {run}\r\n"
        f"Message-ID: <{number}@{run}>\r\n\r\nMessage {number}.\r\n"
    )


def expect(code: int, got: int, text: bytes) -> None:
    if got != code:
        raise smtplib.SMTPResponseException(got, text)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--sources", nargs="+", required=True, help="addresses of the clients")
    parser.add_argument(
        "--services", nargs="+", default=["25"], metavar="PORT[:TLS]", help="in turn; with TLS a user logs in there"
    )
    parser.add_argument("--run", required=True, help="name that sets these messages apart from others")
    parser.add_argument("--messages", type=int, default=5000, help="how many at least")
    parser.add_argument("--rate", type=float, default=100, help="messages in a second at most")
    parser.add_argument("--clients", type=int, default=15, help="sessions at a time")
    load = Load(parser.parse_args())

    def wait_for_end() -> None:
        sys.stdin.read()
        load.ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    print(json.dumps(asdict(load.run())))


if __name__ == "__main__":
    main()
