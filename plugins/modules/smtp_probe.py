#!/usr/bin/python
# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_probe
short_description: Speak SMTP to a host and report what it says
description:
  - Connects to an SMTP server, says C(EHLO) and C(QUIT), and returns every answer.
  - Can begin with a PROXY protocol header, the way a load balancer speaks to its backends.
  - Can name a sender and recipients, and can send a message.
  - An answer that refuses, or none at all, is a result like any other. The task fails only where an expectation
    (O(expect_code) and the like) is not met.
version_added: 1.0.0
author:
  - mailops.ovh_iplb contributors (@mailops)
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
    details:
      - The conversation is the same, except that no message is sent.
  diff_mode:
    description: Returns what changed, or in check mode would change, in diff mode.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: partial
    details:
      - Each run with O(body) sends another message.
options:
  host:
    description: Name or address of the server.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    default: 25
  source_address:
    description: The local address to connect from.
    type: str
  timeout:
    description: Seconds that each answer may take.
    type: int
    default: 10
  retries:
    description: How often to try again while an expectation is not met.
    type: int
    default: 0
  delay:
    description: Seconds between two tries.
    type: int
    default: 2
  proxy_header:
    description: The PROXY protocol header to begin with.
    type: str
    choices: [none, v1, v2]
    default: none
  proxy_source:
    description:
      - The client address that the header claims. The default is that of the connection itself.
      - With O(proxy_header=none) nothing is claimed, so this and the three options that follow are refused.
    type: str
  proxy_source_port:
    description: The client port that the header claims. The default is that of the connection itself.
    type: int
  proxy_destination:
    description: The server address that the header claims. The default is that of the connection itself.
    type: str
  proxy_destination_port:
    description: The server port that the header claims. The default is that of the connection itself.
    type: int
  tls:
    description: Whether to use TLS from the beginning (V(implicit)), after C(EHLO) (V(starttls)), or not at all.
    type: str
    choices: [none, starttls, implicit]
    default: none
  validate_certs:
    description: Whether the server's certificate must be valid for O(host).
    type: bool
    default: true
  ehlo_name:
    description: The name to introduce oneself with. The default is the name of this host.
    type: str
  mail_from:
    description: The sender of C(MAIL FROM). An empty text is the null sender.
    type: str
  rcpt_to:
    description: The recipients of C(RCPT TO).
    type: list
    elements: str
    default: []
  subject:
    description: The subject of the message.
    type: str
    default: ""
  body:
    description: The text of a message to send. Without it the conversation ends before C(DATA), and nothing is
      delivered.
    type: str
  expect_code:
    description: The code that the server must greet with.
    type: int
  expect_banner:
    description: A regular expression that the server's greeting must contain.
    type: str
  expect_ehlo_code:
    description:
      - The code that C(EHLO) must be answered with, for example V(250), and again after C(STARTTLS) where O(tls) asks
        for it.
      - A server that gets a PROXY header which it does not expect greets with V(220), and takes the header for the
        first command.
    type: int
  expect_capabilities:
    description: Names that the answer to C(EHLO) must list, for example V(STARTTLS).
    type: list
    elements: str
    default: []
  expect_mail_code:
    description:
      - The code that C(MAIL FROM) must be answered with, for example V(250). Without O(rcpt_to) the conversation goes
        on with C(RSET), and nothing is delivered.
      - A server whose milter is down greets and answers C(EHLO) as ever, and C(MAIL FROM) with V(451).
    type: int
  expect_rcpt_code:
    description: The code that each C(RCPT TO) must be answered with, for example V(554) for a relay that must be
      refused.
    type: int
  expect_accepted:
    description: Whether the server must take the message, or must not. Not looked at in check mode.
    type: bool
seealso:
  - module: mailops.ovh_iplb.postfix_config
"""

EXAMPLES = r"""
- name: See that the load balancer lets SMTP through
  mailops.ovh_iplb.smtp_probe:
    host: 198.51.100.25
    expect_code: 220
    retries: 5

- name: See that a backend expects a PROXY header
  mailops.ovh_iplb.smtp_probe:
    host: 192.0.2.11
    expect_code: 421

- name: See that a forged header does not relay
  mailops.ovh_iplb.smtp_probe:
    host: 192.0.2.11
    proxy_header: v1
    proxy_source: 127.0.0.1
    proxy_destination: 192.0.2.11
    mail_from: a@example.com
    rcpt_to: [b@example.net]
    expect_rcpt_code: 554

- name: See that a milter behind the server answers, without sending anything
  mailops.ovh_iplb.smtp_probe:
    host: 198.51.100.25
    mail_from: ""
    expect_mail_code: 250

- name: Send a message
  mailops.ovh_iplb.smtp_probe:
    host: mail.example.com
    port: 587
    tls: starttls
    mail_from: a@example.com
    rcpt_to: [b@example.com]
    subject: Hello
    body: It works.
    expect_accepted: true
"""

RETURN = r"""
banner:
  description: What the server greeted with. V(null) when it said nothing.
  returned: always
  type: dict
  contains:
    command:
      description: V(CONNECT).
      type: str
    code:
      description: The code.
      type: int
    text:
      description: The text.
      type: str
  sample: {command: CONNECT, code: 220, text: mail.example.com ESMTP Postfix}
replies:
  description: Every other answer, in order.
  returned: always
  type: list
  elements: dict
  contains:
    command:
      description: The command that was answered.
      type: str
    code:
      description: The code. V(-1) when the server hung up instead.
      type: int
    text:
      description: The text, its lines separated by newlines.
      type: str
ehlo:
  description: The lines of the last answer to C(EHLO).
  returned: always
  type: list
  elements: str
capabilities:
  description: The extensions that the server offers, in lower case, with their parameters.
  returned: always
  type: dict
  sample: {size: "10240000", starttls: ""}
accepted:
  description: Whether the server took a message.
  returned: always
  type: bool
message_id:
  description: The Message-ID of the message, if one was offered to the server.
  returned: always
  type: str
tls_version:
  description: The version of TLS in use, or V(null).
  returned: always
  type: str
local_address:
  description: Address and port of this end of the connection.
  returned: always
  type: list
  elements: raw
peer_address:
  description: Address and port of the server's end.
  returned: always
  type: list
  elements: raw
duration:
  description: Seconds that the conversation took.
  returned: always
  type: float
error:
  description: Why the conversation ended early, if it did.
  returned: always
  type: str
attempts:
  description: How many conversations there were.
  returned: always
  type: int
"""

import dataclasses
import ipaddress
import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import (
    Message,
    Talk,
    Transcript,
    converse,
    missed_expectations,
    proxy_header,
)

ARGUMENTS: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 25},
    "source_address": {"type": "str"},
    "timeout": {"type": "int", "default": 10},
    "retries": {"type": "int", "default": 0},
    "delay": {"type": "int", "default": 2},
    "proxy_header": {"type": "str", "choices": ["none", "v1", "v2"], "default": "none"},
    "proxy_source": {"type": "str"},
    "proxy_source_port": {"type": "int"},
    "proxy_destination": {"type": "str"},
    "proxy_destination_port": {"type": "int"},
    "tls": {"type": "str", "choices": ["none", "starttls", "implicit"], "default": "none"},
    "validate_certs": {"type": "bool", "default": True},
    "ehlo_name": {"type": "str"},
    "mail_from": {"type": "str"},
    "rcpt_to": {"type": "list", "elements": "str", "default": []},
    "subject": {"type": "str", "default": ""},
    "body": {"type": "str"},
    "expect_code": {"type": "int"},
    "expect_banner": {"type": "str"},
    "expect_ehlo_code": {"type": "int"},
    "expect_capabilities": {"type": "list", "elements": "str", "default": []},
    "expect_mail_code": {"type": "int"},
    "expect_rcpt_code": {"type": "int"},
    "expect_accepted": {"type": "bool"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_by={
            "body": ["mail_from", "rcpt_to"],
            "expect_mail_code": ["mail_from"],
            "expect_rcpt_code": ["mail_from"],
            "expect_accepted": ["body"],
        },
    )
    try:
        check_options(module.params)
        result, missed = probe(module.params, module.check_mode)
    except ValueError as error:
        module.fail_json(msg=str(error))
    if missed:
        module.fail_json(msg=f"{module.params['host']} port {module.params['port']}: {'; '.join(missed)}", **result)
    module.exit_json(**result)


def check_options(params: dict[str, Any]) -> None:
    """Raise ValueError for what the argument spec can not express."""
    for name in ("port", "proxy_source_port", "proxy_destination_port"):
        if params[name] is not None and not 1 <= params[name] <= 65535:
            raise ValueError(f"{name} must be between 1 and 65535, not {params[name]}")
    for name in ("retries", "delay"):
        if params[name] < 0:
            raise ValueError(f"{name} must be 0 or more")
    if params["timeout"] < 1:
        raise ValueError("timeout must be 1 or more")
    check_claims(params)
    check_addresses(params["proxy_source"], params["proxy_destination"])
    if params["rcpt_to"] and params["mail_from"] is None:
        raise ValueError('rcpt_to needs mail_from; an empty text ("") is the null sender')
    if params["body"] is not None and not params["rcpt_to"]:
        raise ValueError("body needs rcpt_to: a message without a recipient goes nowhere")
    try:
        re.compile(params["expect_banner"] or "")
    except re.error as error:
        raise ValueError(f"expect_banner is not a regular expression: {error}") from error


def check_claims(params: dict[str, Any]) -> None:
    """Refuse a claim without a header: the answers would be those to another client than the one that was meant."""
    claims = ("proxy_source", "proxy_source_port", "proxy_destination", "proxy_destination_port")
    for name in claims if params["proxy_header"] == "none" else ():
        if params[name] is not None:
            raise ValueError(f"{name} needs proxy_header: v1 or v2; without a header nothing is claimed")


def check_addresses(source: str | None, destination: str | None) -> None:
    for name, address in (("proxy_source", source), ("proxy_destination", destination)):
        try:
            ipaddress.ip_address(address or "192.0.2.1")
        except ValueError as error:
            raise ValueError(f"{name} must be an IPv4 or IPv6 address, not {address!r}") from error
    if source and destination:
        proxy_header("v1", (source, 1), (destination, 1))


def probe(params: dict[str, Any], check_mode: bool) -> tuple[dict[str, Any], list[str]]:
    """The result of the last conversation, and which expectations it missed."""
    talk = read_talk(params, check_mode)
    attempts = 0
    while True:
        attempts += 1
        transcript = converse(talk)
        missed = missed_expectations(
            transcript,
            code=params["expect_code"],
            banner=params["expect_banner"],
            capabilities=params["expect_capabilities"],
            ehlo_code=params["expect_ehlo_code"],
            mail_code=params["expect_mail_code"],
            rcpt_code=params["expect_rcpt_code"],
            accepted=None if check_mode else params["expect_accepted"],
            tls=params["tls"] != "none" and params["expect_ehlo_code"] is not None,
        )
        # A message that was taken is not sent a second time.
        if not missed or transcript.accepted or attempts > params["retries"]:
            return shown(transcript, attempts, params, check_mode), missed
        time.sleep(params["delay"])


def read_talk(params: dict[str, Any], check_mode: bool) -> Talk:
    send = params["body"] is not None and not check_mode
    return Talk(
        host=params["host"],
        port=params["port"],
        timeout=params["timeout"],
        source_address=params["source_address"],
        proxy=params["proxy_header"],
        proxy_source=(params["proxy_source"], params["proxy_source_port"]),
        proxy_destination=(params["proxy_destination"], params["proxy_destination_port"]),
        tls=params["tls"],
        validate_certs=params["validate_certs"],
        ehlo_name=params["ehlo_name"],
        mail_from=params["mail_from"],
        rcpt_to=params["rcpt_to"],
        message=Message(params["subject"], params["body"]) if send else None,
    )


def shown(transcript: Transcript, attempts: int, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    hellos = [reply.text.splitlines() for reply in transcript.replies if reply.command == "EHLO"]
    would_send = check_mode and params["body"] is not None
    return {
        **dataclasses.asdict(transcript),
        "ehlo": hellos[-1] if hellos else [],
        "attempts": attempts,
        "changed": transcript.accepted or would_send,
    }


if __name__ == "__main__":
    main()
