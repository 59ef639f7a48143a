# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send one message from a given source address and print, as JSON, what the server said. Runs in the client's place."""

from __future__ import annotations

import argparse
import json
import smtplib
import ssl
from email.message import EmailMessage


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True, help="address of the client to send from")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=25)
    parser.add_argument("--sender", default="someone@sender.example")
    parser.add_argument("--recipient", default="alice@example.test")
    parser.add_argument("--subject", required=True)
    parser.add_argument("--login", metavar="USER:PASSWORD", help="authenticate, over STARTTLS")
    parser.add_argument(
        "--tls", choices=["starttls", "implicit"], default="starttls", help="how to get TLS for a login"
    )
    options = parser.parse_args()
    try:
        answer = {"accepted": True, "reply": _send(options)}
    except (OSError, smtplib.SMTPException) as error:
        answer = {"accepted": False, "reply": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


def _send(options: argparse.Namespace) -> str:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = options.sender, options.recipient, options.subject
    message.set_content("Sent to show the way that mail takes.\n")
    with _connect(options) as smtp:
        if options.login:
            if options.tls == "starttls":
                smtp.starttls()
            smtp.login(*options.login.split(":", 1))
        smtp.send_message(message)
        return "accepted"


def _connect(options: argparse.Namespace) -> smtplib.SMTP:
    name, timeout, source = "client.sender.example", 30, (options.source, 0)
    if options.tls == "starttls":
        return smtplib.SMTP(options.host, options.port, name, timeout, source)
    # The hosts of the lab have Debian's snakeoil certificate.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return smtplib.SMTP_SSL(options.host, options.port, name, timeout=timeout, source_address=source, context=context)


if __name__ == "__main__":
    main()
