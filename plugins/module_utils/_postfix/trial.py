# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let Postfix itself judge a configuration, before and after it is live. Private to the collection."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.host import failure_reason, run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import Endpoint, PostfixError, Settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import Talk, converse, greeting, refusal


def check_directory(directory: str) -> str | None:
    """What ``postfix check`` has against a configuration directory."""
    result = run("postfix", "-c", directory, "check", directory=directory, terminal=True)
    return None if result.code == 0 else failure_reason(result.err)


# Not the bare <postmaster>: Postfix takes that without looking at any restriction.
_TRIAL = "EHLO localhost\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster@{hostname}>\r\nQUIT\r\n"
# The trial must reach the restrictions, and must reach nobody else: no PROXY header, no permission by address, no
# milters, no notices to the postmaster, no TLS, and all commands in one go.
_TRIAL_OVERRIDES = {
    "smtpd_upstream_proxy_protocol": "",
    "syslog_name": "postfix/trial",
    "mynetworks": "",
    "smtpd_milters": "",
    "notify_classes": "",
    "smtpd_tls_wrappermode": "no",
    "smtpd_forbid_unauth_pipelining": "no",
}


def try_smtpd(settings: Settings, directory: str, overrides: Mapping[str, str], running: bool) -> str | None:
    """What is wrong when smtpd itself reads a configuration, or None.

    smtpd ends at once on a bad number, time, boolean or an impossible restriction list, and answers 451 4.3.x where it
    stumbles over an unknown restriction or a missing table. "-S -u": standalone on stdin, with the rights and the
    restrictions of a network client. Without a running Postfix it starts, and then waits for its helpers in vain.
    """
    options = [f"-o{name}={value}" for name, value in {**overrides, **_TRIAL_OVERRIDES}.items()]
    smtpd = os.path.join(settings.effective["daemon_directory"], "smtpd")
    text = _TRIAL.format(hostname=settings.effective["myhostname"])
    result = run(smtpd, "-S", "-u", *options, directory=directory, text=text, timeout=15 if running else 3)
    if result.code not in (0, None):
        return "smtpd does not start with it"
    answers = [line for line in result.out.splitlines() if line.startswith(("451 4.3.0", "451 4.3.5"))]
    return f"smtpd answers {answers[0]}" if answers else None


def port_number(port: str) -> int:
    try:
        number = int(port) if port.isdigit() else socket.getservbyname(port, "tcp")
    except OSError as error:
        raise PostfixError(f"{port} is not a port number and no service name of /etc/services") from error
    if not 0 < number < 65536:
        raise PostfixError(f"{port} is not a port number: they go from 1 to 65535")
    return number


def is_port_taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def endpoint_problem(endpoint: Endpoint, timeout: float = 15.0) -> str | None:
    """What a conversation finds wrong with a listener: 220 expected, and 421 too where it must see a header first."""
    port = port_number(endpoint.port)
    header = "v1" if endpoint.proxied else "none"
    code, text = greeting(endpoint.address, port, header, endpoint.implicit_tls, timeout)
    if code != 220:
        with_header = " to a PROXY header" if endpoint.proxied else ""
        return (
            f"{endpoint.service} ({endpoint.address} port {port}) answers {text or 'nothing'!r}{with_header}, not 220"
        )
    if not endpoint.proxied:
        return None
    code, text = refusal(endpoint.address, port, endpoint.implicit_tls, timeout)
    if code != 421:
        return (
            f"{endpoint.service} ({endpoint.address} port {port}) answers {text!r} to a client without a PROXY header"
        )
    return None


# RFC 5321 and RFC 3207: shutting down, local error (a milter that is down), no space, no TLS.
_OUT_OF_ORDER = (421, 451, 452, 454)


def mail_problem(endpoint: Endpoint, timeout: float = 15.0) -> str | None:
    """What keeps a listener that greets from taking mail for now: its TLS, or a milter or table that does not answer.

    What it refuses for good is its rules' business, such as mail without a login, and so is 450, which they answer too.
    """
    talk = Talk(
        endpoint.address,
        port_number(endpoint.port),
        timeout,
        proxy="v1" if endpoint.proxied else "none",
        tls="implicit" if endpoint.implicit_tls else "offered",
        validate_certs=False,
        ehlo_name="localhost",
        mail_from="",
    )
    transcript = converse(talk)
    where = f"{endpoint.service} ({endpoint.address} port {talk.port})"
    for reply in transcript.replies:
        if reply.code in _OUT_OF_ORDER:
            what = "MAIL FROM:<>" if reply.command == "MAIL" else reply.command
            return f"{where} answers {f'{reply.code} {reply.text}'!r} to {what}"
    said = [reply.command for reply in transcript.replies]
    if transcript.error:
        return f"{where}: {transcript.error}, after {said[-1] if said else 'the connection'}"
    if endpoint.starttls and transcript.tls_version is None and "EHLO" in said:
        return f"{where} offers no STARTTLS, although smtpd_tls_security_level asks for it; the mail log says why"
    return None


def problems(endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """By service, what is wrong with each listener that does not answer as it should."""
    found = {endpoint.service: endpoint_problem(endpoint) for endpoint in endpoints}
    return {service: problem for service, problem in found.items() if problem}
