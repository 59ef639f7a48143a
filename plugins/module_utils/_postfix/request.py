# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task says, in Postfix's own form. Pure. Private to the collection."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.lines import is_balanced
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    BLANKS,
    Entry,
    Listener,
    PostfixError,
    Request,
    Values,
    words,
)

_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_SERVICE_NAME = re.compile(r"[^\s*/=#{}\x00-\x1f\x7f-][^\s*/=#{}\x00-\x1f\x7f]*/(inet|unix|unix-dgram|fifo|pass)")
_LOOPBACKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
# Neither a blank nor anything to read: no file of Postfix can hold it.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def value_text(option: str, value: Any) -> str | None:
    """A value as Postfix writes it; ``option`` names it in the error.

    A list is joined with commas. A text of several lines becomes one, so a value never starts a line of its own.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return ", ".join(value_text(option, item) or "" for item in value)
    if isinstance(value, str):
        return _one_line(option, value)
    raise PostfixError(f"{option} must be a text, a number, a boolean, a list of these, or null to remove it")


def _one_line(option: str, value: str) -> str:
    control = _CONTROL.search(value)
    if control:
        raise PostfixError(
            f"{option} holds the control character U+{ord(control[0]):04X}, which Postfix's files can not: remove it"
        )
    lines = re.split(r"[ \t]*[\r\n][ \t\r\n]*", value.strip(BLANKS))
    if any(line.startswith("#") for line in lines[1:]):
        raise PostfixError(
            f"{option} has a line that begins with #, which would be part of the value: put the comment outside it"
        )
    return " ".join(lines)


def read_mode(value: str | None) -> int | None:
    """Permissions from octal digits."""
    if value is None:
        return None
    mode = int(value, 8) if re.fullmatch(r"0?[0-7]{3}", value) else 0
    if mode & 0o600 != 0o600 or mode & 0o022:
        raise PostfixError(
            f"mode: {value!r} is not a mode for main.cf and master.cf. Write octal digits in quotes, such as '0644': "
            "only root may write these files"
        )
    return mode


def read_request(
    parameters: Mapping[str, Any] | None,
    services: Mapping[str, Any] | None,
    new_services: Mapping[str, Any] | None,
    listeners: Sequence[Listener] = (),
) -> Request:
    """Check the shape of the task's options and write every value the way Postfix does."""
    request = Request(
        parameters=_values("parameters", parameters or {}),
        services={_service("services", name): _overrides("services", name, v) for name, v in (services or {}).items()},
        new_services={
            _service("new_services", name): _new_entry(name, value) for name, value in (new_services or {}).items()
        },
        listeners=tuple(listeners),
    )
    _check_listeners(request)
    both = sorted(set(request.services) & set(request.new_services))
    if both:
        raise PostfixError(f"{both[0]} is both in services and in new_services: write it in one of them")
    return request


def _values(option: str, values: Mapping[str, Any]) -> Values:
    for name in values:
        if not _PARAMETER_NAME.fullmatch(str(name)):
            raise PostfixError(f"{option}: {name!r} is not the name of a Postfix parameter")
    return {str(name): value_text(f"{option}.{name}", value) for name, value in values.items()}


def _service(option: str, name: Any) -> str:
    if not _SERVICE_NAME.fullmatch(str(name)):
        raise PostfixError(
            f"{option}: {name!r} is not a service of master.cf; write its name and its type, for example smtp/inet"
        )
    return str(name)


def _overrides(option: str, service: str, value: Any) -> Values:
    if not isinstance(value, dict):
        raise PostfixError(f"{option}.{service} must be a dictionary of parameters and values")
    values = _values(f"{option}.{service}", value)
    for name, text in values.items():
        if not is_balanced(text or ""):
            raise PostfixError(
                f"{option}.{service}.{name} has an unbalanced brace, with which an override of master.cf swallows what "
                "follows it: give every { its }, or define a name with parameters and refer to it as $name"
            )
    return values


def _new_entry(service: str, value: Any) -> Entry | None:
    """An entry from ``{command: smtpd, chroot: true, maxproc: 10, parameters: {…}}``; null removes the entry."""
    if value is None:
        return None
    option = f"new_services.{service}"
    if not isinstance(value, dict) or not value.get("command"):
        raise PostfixError(f"{option} must be a dictionary with at least a command, or null to remove the entry")
    flags = {"private", "unpriv", "chroot"}
    counts = {"wakeup", "maxproc"}
    unknown = sorted(set(value) - flags - counts - {"command", "parameters"})
    if unknown:
        raise PostfixError(
            f"{option}: unknown field {unknown[0]!r}; there are private, unpriv, chroot, wakeup, maxproc, command, "
            "parameters"
        )
    columns = {name: _flag(f"{option}.{name}", value.get(name)) for name in flags}
    columns.update({name: _count(f"{option}.{name}", value.get(name)) for name in counts})
    if service.endswith("/inet"):
        if columns["private"] == "y":
            raise PostfixError(f"{option}.private must not be true: a network service can not be private")
        columns["private"] = "n"  # Postfix's default is "y", with which it would not start
    command, arguments = _command(f"{option}.command", value["command"])
    overrides = _overrides(option, "parameters", value.get("parameters") or {})
    return Entry(
        service=service,
        command=command,
        arguments=arguments,
        overrides={name: text for name, text in overrides.items() if text is not None},
        **columns,
    )


def _command(option: str, value: Any) -> tuple[str, str]:
    """A program's name and its arguments."""
    text = value_text(option, value) or ""
    if not is_balanced(text):
        raise PostfixError(
            f"{option} has an unbalanced brace, which would swallow what follows it: give every {{ its }}"
        )
    command, *arguments = words(text) or [""]
    if any(word.startswith("-o") for word in itertools.takewhile(lambda word: word.startswith("-"), arguments)):
        raise PostfixError(f"{option}: write what follows -o as a name and a value in parameters")
    if command[:1] in ("", "-", "{") or any(word.startswith("#") for word in (command, *arguments)):
        raise PostfixError(
            f"{option} must begin with the name of a program, and no word with #, which begins no comment there"
        )
    return command, " ".join(arguments)


def _flag(option: str, value: Any) -> str:
    texts = {None: "-", True: "y", False: "n", "y": "y", "n": "n", "-": "-"}
    if not isinstance(value, (bool, str, type(None))) or value not in texts:
        raise PostfixError(f"{option} must be true, false, or left out for Postfix's default")
    return texts[value]


def _count(option: str, value: Any) -> str:
    if value is None or value == "-":
        return "-"
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]+\??", str(value)):
        raise PostfixError(f"{option} must be a number of 0 or more, or left out for Postfix's default")
    return str(value)


def _check_listeners(request: Request) -> None:
    names = [listener.service for listener in request.listeners]
    for listener in request.listeners:
        _service(f"{listener.option}.service", listener.service)
        if names.count(listener.service) > 1:
            raise PostfixError(f"{listener.option}.service: {listener.service} is there twice")
        _check_trusted(listener)
        if listener.server_address:
            _address(f"{listener.option}.server_address", listener.server_address)


def _check_trusted(listener: Listener) -> None:
    option = f"{listener.option}.trusted_clients"
    for client in listener.trusted_clients or ():
        try:
            network = ipaddress.ip_network(client.replace("[", "").replace("]", ""))
        except ValueError as error:
            raise PostfixError(f"{option}: {error}; write addresses or networks") from error
        if any(network.overlaps(loopback) for loopback in _LOOPBACKS):
            raise PostfixError(
                f"{option}: {client} would let everybody who can reach the port relay mail, for any client can claim "
                "such an address in a PROXY header; name the senders' own addresses"
            )


def _address(option: str, value: str) -> None:
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise PostfixError(f"{option} must be an IPv4 or IPv6 address, not {value!r}") from error
