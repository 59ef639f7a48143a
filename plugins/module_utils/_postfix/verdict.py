# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an edited configuration is sound: what it would ignore, refuse to start with, or relay. Pure. Private to the
collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import references, suggestion
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.grants import address_permits
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import listener_services
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUIDE_PARAMETER,
    GUIDE_REFERENCE,
    MAIN,
    MASTER,
    PROXY_PARAMETERS,
    Listener,
    PostfixError,
    Request,
    Settings,
)


def refuse_unsound(after: Settings, request: Request, known: Iterable[str]) -> None:
    """Raise for what the edited copy shows to be wrong with the request. ``known``: every name Postfix knows."""
    _refuse_unused(after, request, known)
    _refuse_undefined(after, request)
    _refuse_misplaced(after, request)
    _refuse_protocol(after, request)
    _refuse_misread_networks(request)
    for listener in request.with_header:
        _refuse_unguarded(after, listener)


@dataclass(frozen=True)
class _Setting:
    """One parameter that the request sets."""

    option: str
    service: str | None
    name: str
    value: str


def _requested(request: Request) -> Iterable[_Setting]:
    for name, value in request.parameters.items():
        if value is not None:
            yield _Setting(f"parameters.{name}", None, name, value)
    for service, values in request.services.items():
        for name, value in values.items():
            if value is not None:
                yield _Setting(f"services.{service}.{name}", service, name, value)
    for service, entry in request.new_services.items():
        for name, text in (entry.overrides if entry else {}).items():
            yield _Setting(f"new_services.{service}.parameters.{name}", service, name, text)


def _refuse_unused(after: Settings, request: Request, known: Iterable[str]) -> None:
    for setting in _requested(request):
        if (MASTER if setting.service else MAIN, setting.name) not in after.unused:
            continue
        if setting.name == GUIDE_PARAMETER and request.with_header:
            continue  # an override of a listener hides it, which is named in another place
        hint = suggestion(setting.name, set(known) - {name for _file, name in after.unused})
        if setting.name == GUIDE_PARAMETER:
            hint = (
                f"; set it together with the entry that uses it, services: {{smtp/inet: "
                f"{{smtpd_upstream_proxy_protocol: {GUIDE_REFERENCE}}}}}, or with proxy_listener"
            )
        raise PostfixError(f"{setting.option}: Postfix has no such parameter and nothing refers to it{hint}")


def _refuse_undefined(after: Settings, request: Request) -> None:
    for setting in _requested(request):
        undefined = sorted(references([setting.value]) & set(after.undefined))
        if undefined:
            raise PostfixError(
                f"{setting.option}: nothing defines ${undefined[0]}{suggestion(undefined[0], after.parameters)}; "
                "set it with parameters"
            )


def _refuse_misplaced(after: Settings, request: Request) -> None:
    """The parameter of one daemon on the entry of another does nothing, and looks as if it did."""
    readers = {parameter: command for command, parameter in PROXY_PARAMETERS.items()}
    for setting in _requested(request):
        reader = readers.get(setting.name)
        entry = after.entries.get(setting.service or "")
        if entry is None or reader is None or not setting.value:
            continue
        if entry.command != reader:
            raise PostfixError(f"{setting.option} is read by {reader}, but {entry.service} runs {entry.command}")
        if entry.service.endswith("/pass"):
            raise PostfixError(f"{setting.option}: behind postscreen the PROXY header is postscreen's to read")


def _refuse_protocol(after: Settings, request: Request) -> None:
    """``postfix check`` accepts any value here; smtpd and postscreen then die at once."""
    options = {(setting.service, setting.name): setting.option for setting in _requested(request)}
    for service, entry in after.entries.items():
        parameter = PROXY_PARAMETERS.get(entry.command)
        value = after.value(service, parameter) if parameter else ""
        if parameter and value not in ("", "haproxy"):
            own, general = options.get((service, parameter)), options.get((None, parameter))
            raise PostfixError(
                f"{own or general or parameter}: {service} can not start with {value!r}; write haproxy, or an empty "
                "text for no PROXY header"
            )


# The lists of addresses that smtpd asks for a client.
_ADDRESS_LISTS = (
    "mynetworks",
    "authorized_verp_clients",
    "smtpd_authorized_verp_clients",
    "smtpd_authorized_xclient_hosts",
    "smtpd_authorized_xforward_hosts",
    "smtpd_client_event_limit_exceptions",
    "smtpd_forbid_bare_newline_exclusions",
    "smtpd_sasl_exceptions_networks",
)


_NETWORK = re.compile(r"\[?([\d.]+|[\da-f]*:[\da-f.]*:[\da-f:.]*)\]?(?:/([^\]]+))?\]?", re.IGNORECASE)


def _refuse_misread_networks(request: Request) -> None:
    """smtpd answers 451 to every recipient where it stumbles over one, and no trial and no proof goes so far."""
    for setting in _requested(request):
        for word in re.split(r"[,\s]+", setting.value) if setting.name in _ADDRESS_LISTS else ():
            correction = _correction(word.lstrip("!"))
            if correction:
                raise PostfixError(
                    f"{setting.option}: Postfix can not read {word} as a network, and would defer all mail; write "
                    f"{correction}"
                )


def _correction(word: str) -> str | None:
    """What to write instead; None for what Postfix can read, and for what is no network, such as a name or a table.

    Bits after the prefix are an error, and an IPv6 address without brackets is a table of an unknown type: postconf(5).
    """
    found = _NETWORK.fullmatch(word)
    if found is None:
        return None
    address, length = found.groups()
    shown = f"[{address}]" if ":" in address else address
    if length is None:
        return shown if ":" in address and word != shown else None
    try:
        network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        return "an address and the length of its prefix, such as 192.0.2.0/24"
    if length.isdigit() and ipaddress.ip_address(address) == network.network_address:
        return f"{shown}/{length}" if ":" in address and word != f"{shown}/{length}" else None
    first = str(network.network_address)
    return f"{f'[{first}]' if ':' in first else first}/{network.prefixlen}"


def _refuse_unguarded(after: Settings, listener: Listener) -> None:
    if listener.allow_address_permits:
        return
    entry = after.entries[listener.service]
    for service in listener_services(after, entry, listener):
        permits = address_permits(after, service) if after.entries[service].command == "smtpd" else []
        if permits:
            raise PostfixError(
                f"{service} would relay for a forged client address: {'; '.join(permits)}. Move it behind "
                f"reject_unauth_destination, or accept it with {listener.option}.allow_address_permits"
            )
