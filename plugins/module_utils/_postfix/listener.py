# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service that the load balancer speaks to: its header and its guard. Pure. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from typing import Callable

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import (
    plan_changes,
    references,
    suggestion,
    with_overrides,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUARDED_HOST_LISTS,
    GUIDE_PARAMETER,
    GUIDE_REFERENCE,
    OWN_ENTRY,
    PROXY_PARAMETERS,
    Change,
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
    Values,
)


def plan_from_nothing(request: Request) -> list[Change]:
    """The changes for a host without Postfix: what a fresh installation would be given."""
    listener = request.listener
    if listener and listener.enabled:
        entries = {listener.service: Entry(listener.service, command="smtpd")}
        request = with_listener(Settings(entries=entries), request, lambda _address: True)
    services = {name: Entry(name) for name in request.services}
    return plan_changes(Settings(entries=services), request)


def with_listener(
    before: Settings,
    request: Request,
    is_own_address: Callable[[str], bool],
    replaced: Mapping[str, Values] | None = None,
) -> Request:
    """The request plus what its ``listener`` comes down to on this host.

    :param replaced: what ``replaced_overrides`` told when the listener came, to be put back when it goes.
    """
    listener = request.listener
    if listener is None:
        return request
    if not listener.enabled:
        return _without_listener(before, request, listener, replaced or {})
    request = _with_own_entry(before, request, listener)
    entry = _listener_entry(before, request, listener)
    if entry is None:
        raise PostfixError(
            f"proxy_listener.service: master.cf has no entry {listener.service}"
            f"{suggestion(listener.service, before.entries)}; add it with new_services"
        )
    if entry.command not in PROXY_PARAMETERS:
        raise PostfixError(
            f"proxy_listener.service: {listener.service} runs {entry.command}; only smtpd and postscreen understand "
            "the PROXY protocol"
        )
    services = listener_services(before, entry, listener)
    _refuse_version(before.effective.get("mail_version", ""), listener.version)
    missing = sorted(set(services) - set(before.entries) - set(request.new_services))
    if missing:
        raise PostfixError(f"{listener.service} runs postscreen, and master.cf has no entry {missing[0]} for it")
    # Nobody uses a port that is new, and a guard that stands admits nobody but whom somebody let in by hand.
    asks = listener.service in before.entries and not _is_guarded(before, services)
    if listener.trusted_clients is None and asks:
        _refuse_cut_off(before, sorted(services), is_own_address)
    return _merge(request, {GUIDE_PARAMETER: "haproxy"}, services)


def _listener_entry(before: Settings, request: Request, listener: Listener) -> Entry | None:
    return before.entries.get(listener.service) or request.new_services.get(listener.service)


def _with_own_entry(before: Settings, request: Request, listener: Listener) -> Request:
    """Add the listener's entry where it is a port number that master.cf does not have: port 25, and a header."""
    if _listener_entry(before, request, listener) or not re.fullmatch(r"(.+:)?\d+/inet", listener.service):
        return request
    smtp = before.entries.get("smtp/inet", Entry("smtp/inet", command="smtpd"))
    model = smtp if smtp.command == "smtpd" else before.entries.get("smtpd/pass", smtp)
    settings = {**model.overrides, **OWN_ENTRY, **request.services.get(listener.service, {})}
    proxied = {PROXY_PARAMETERS["smtpd"], "mynetworks", *GUARDED_HOST_LISTS}
    own = Entry(
        service=listener.service,
        private="n",
        unpriv=model.unpriv,
        chroot=model.chroot,
        maxproc=model.maxproc,
        command="smtpd",
        overrides={name: value for name, value in settings.items() if value is not None and name not in proxied},
    )
    return _as_whole_entry(request, listener.service, own)


def _as_whole_entry(request: Request, service: str, entry: Entry | None) -> Request:
    """The request with a whole entry, or its removal, in place of single overrides of that service."""
    services = {name: values for name, values in request.services.items() if name != service}
    return replace(request, services=services, new_services={**request.new_services, service: entry})


def _without_listener(
    before: Settings, request: Request, listener: Listener, replaced: Mapping[str, Values]
) -> Request:
    """Take back what the listener got: all of an entry that exists for it alone, or else its share of the entry."""
    entry = before.entries.get(listener.service)
    is_own = entry is not None and OWN_ENTRY.items() <= entry.overrides.items()
    if is_own or entry is None or listener.service in request.new_services:
        request = replace(request, parameters={**request.parameters, **_guides_line(before, {listener.service})})
        return _as_whole_entry(request, listener.service, None)
    if entry.command not in PROXY_PARAMETERS:
        return request
    return _merge(request, *_without_proxy(before, listener_services(before, entry, listener), replaced))


def replaced_overrides(before: Settings, request: Request, known: Mapping[str, Values]) -> dict[str, Values]:
    """The overrides, by service, that stood where a listener has put, or is about to put, its own."""
    listener = request.listener
    if listener is None:
        return dict(known)
    entry = before.entries.get(listener.service)
    if entry is None or entry.command not in PROXY_PARAMETERS:
        return dict(known)
    services = listener_services(before, entry, listener)
    others = {name: values for name, values in known.items() if name not in services}
    if not listener.enabled:
        return others
    if _is_marked(before, services):
        return dict(known)
    found: dict[str, Values] = {
        name: {key: value for key, value in _overrides_of(before, name).items() if key in values}
        for name, values in services.items()
    }
    return {**others, **{name: values for name, values in found.items() if values}}


def _refuse_version(mail_version: str, version: str) -> None:
    """Postfix release notes: v1 since 2.10, v2 since 3.5."""
    numbers = [int(number) for number in re.findall(r"\d+", mail_version)[:2]]
    if version != "v1" and numbers and numbers < [3, 5]:
        raise PostfixError(
            f"proxy_listener.proxy_protocol_version: Postfix {mail_version} does not understand {version}, which needs "
            "Postfix 3.5; let the load balancer send v1"
        )


def listener_services(before: Settings, entry: Entry, listener: Listener) -> dict[str, Values]:
    """The overrides of every entry that a connection to the listener goes through.

    Behind postscreen, smtpd decides who may relay (so the guard goes there) and must not look for a header itself.
    """
    networks = ", ".join(listener.trusted_clients or ())
    guard: Values = {"mynetworks": networks, **dict.fromkeys(GUARDED_HOST_LISTS, "")}
    proxy: Values = {PROXY_PARAMETERS[entry.command]: GUIDE_REFERENCE}
    if entry.command == "smtpd":
        return {listener.service: {**proxy, **guard}}
    behind = before.value(listener.service, "smtpd_service_name") or "smtpd"
    # postscreen_access_list: the clients of mynetworks skip postscreen's tests, and gain nothing else by it. The load
    # balancer's probes must skip them, for they do not wait.
    skipping = ", ".join((*(listener.trusted_clients or ()), *listener.balancer_networks))
    return {listener.service: {**proxy, "mynetworks": skipping}, f"{behind}/pass": guard}


def _is_guarded(before: Settings, services: Collection[str]) -> bool:
    """Whether a listener of this collection is here, with its guard."""
    guarded = any(_overrides_of(before, name).keys() & set(GUARDED_HOST_LISTS) for name in services)
    return guarded and _is_marked(before, services)


def _is_marked(before: Settings, services: Iterable[str]) -> bool:
    """Whether a listener of this collection is here: the reference to the guide's line is the mark of it."""
    return any(GUIDE_REFERENCE in _overrides_of(before, name).values() for name in services)


def _without_proxy(
    before: Settings, services: dict[str, Values], replaced: Mapping[str, Values]
) -> tuple[Values, dict[str, Values]]:
    """Take back what ``listener_services`` gave, where it did."""
    found = services if _is_marked(before, services) else {}
    removed = {name: {**dict.fromkeys(values), **replaced.get(name, {})} for name, values in found.items()}
    return _guides_line(before, removed), removed


def _guides_line(before: Settings, left: Container[str]) -> Values:
    """Remove the guide's line, unless a service other than those that are ``left`` uses it."""
    others = [entry for name, entry in before.entries.items() if name not in left]
    still_used = GUIDE_PARAMETER in references(value for entry in others for value in entry.overrides.values())
    return {} if still_used else {GUIDE_PARAMETER: None}


def _overrides_of(before: Settings, service: str) -> Mapping[str, str]:
    return before.entries[service].overrides if service in before.entries else {}


def _merge(request: Request, parameters: Values, services: Mapping[str, Values]) -> Request:
    """Add what the listener implies; a new entry takes its overrides into itself."""
    _refuse_conflict("parameters", request.parameters, parameters)
    merged = dict(request.services)
    entries = dict(request.new_services)
    for name, values in services.items():
        entry = entries.get(name)
        if entry is None:
            _refuse_conflict(f"services.{name}", merged.get(name, {}), values)
            merged[name] = {**merged.get(name, {}), **values}
        else:
            _refuse_conflict(f"new_services.{name}.parameters", entry.overrides, values)
            entries[name] = with_overrides(entry, values)
    parameters = {**request.parameters, **parameters}
    return replace(request, parameters=parameters, services=merged, new_services=entries)


def _refuse_conflict(option: str, written: Mapping[str, str | None], implied: Values) -> None:
    for name in written:
        if name in implied and written[name] != implied[name]:
            raise PostfixError(f"{option}.{name} contradicts proxy_listener, which sets it to {implied[name]!r}")


def _refuse_cut_off(before: Settings, services: list[str], is_own_address: Callable[[str], bool]) -> None:
    for service in services:
        wide = wide_networks(before.value(service, "mynetworks"), is_own_address)
        if wide:
            raise PostfixError(
                f"{service} lets senders of mynetworks relay by their address today ({', '.join(wide)}); behind the "
                "load balancer an address is only a claim. Say what is meant with proxy_listener.trusted_clients "
                "(role: postfix_backend_trusted_clients): [] when nobody needs it any more, or the addresses that keep "
                "the permission while a firewall admits only the load balancer"
            )


def wide_networks(mynetworks: str, is_own_address: Callable[[str], bool]) -> list[str]:
    """The members of mynetworks that are neither loopback nor this host itself. What can not be judged counts."""
    members = [member for member in re.split(r"[,\s]+", mynetworks) if member and not member.startswith("!")]
    return [member for member in members if not _is_local(member, is_own_address)]


def _is_local(member: str, is_own_address: Callable[[str], bool]) -> bool:
    try:
        network = ipaddress.ip_network(member.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    mapped = ipaddress.ip_network("::ffff:127.0.0.0/104")
    if network.is_loopback or (network.version == 6 and network.subnet_of(mapped)):  # type: ignore[arg-type]
        return True
    return network.num_addresses == 1 and is_own_address(str(network.network_address))
