# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services that the load balancer speaks to: their header and their guard. Pure. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Callable

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import (
    plan_changes,
    references,
    with_overrides,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.missing import (
    as_whole_entry,
    entry_of,
    with_own_entry,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    CHECK_LIMITS,
    GUARDED_HOST_LISTS,
    GUIDE_PARAMETER,
    GUIDE_REFERENCE,
    LIMIT_EXCEPTIONS,
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
    entries = {listener.service: Entry(listener.service, command="smtpd") for listener in request.with_header}
    new = {name: entry for name, entry in entries.items() if name not in request.new_services}
    request = with_listeners(
        Settings(entries=new), replace(request, listeners=tuple(request.with_header)), lambda _a: True
    )
    services = {name: Entry(name) for name in request.services}
    return plan_changes(Settings(entries=services), request)


def with_listeners(
    before: Settings,
    request: Request,
    is_own_address: Callable[[str], bool],
    replaced: Mapping[str, Values | None] | None = None,
) -> Request:
    """The request plus what its listeners come down to on this host.

    :param replaced: what ``replaced_overrides`` told when a listener came, to be put back when it goes.
    """
    for listener in request.with_header:
        request = _with_listener(before, request, listener, is_own_address)
    for listener in request.without_header:
        request = _without_listener(before, request, listener, replaced or {})
    return _with_guides_line(before, request) if request.listeners else request


def _with_listener(
    before: Settings, request: Request, listener: Listener, is_own_address: Callable[[str], bool]
) -> Request:
    request = with_own_entry(before, request, listener)
    entry = entry_of(_as_asked(before, request), request, listener)
    if entry is None or entry.command not in PROXY_PARAMETERS:
        raise PostfixError(
            f"{listener.option}.service: {listener.service} runs {entry.command if entry else 'nothing'}; only smtpd "
            "and postscreen understand the PROXY protocol"
        )
    services = listener_services(_as_asked(before, request), entry, listener)
    _refuse_removal(request, listener, services)
    _refuse_version(before.effective.get("mail_version", ""), listener)
    missing = sorted(set(services) - set(before.entries) - set(request.new_services))
    if missing:
        raise PostfixError(f"{listener.service} runs postscreen, and master.cf has no entry {missing[0]} for it")
    # Nobody uses a port that is new, and a guard that stands admits nobody but whom somebody let in by hand.
    asks = listener.service in before.entries and not _is_guarded(before, services)
    if listener.trusted_clients is None and asks:
        _refuse_cut_off(before, listener, sorted(services), is_own_address)
    return _merge(request, listener, services)


def _without_listener(
    before: Settings, request: Request, listener: Listener, replaced: Mapping[str, Values | None]
) -> Request:
    """Take back what the listener got: its share of an entry that goes on serving, or all of one that came for it."""
    if listener.present:
        request = with_own_entry(before, request, listener)
        _refuse_removal(request, listener, [listener.service])
    elif _came_for(before, request, listener, replaced):
        return as_whole_entry(request, listener.service, None)
    share = _share(before, request, listener)
    if not _is_marked(before, share):
        return request
    # A whole entry of the task says itself what is on it.
    back: dict[str, Values] = {
        name: {**dict.fromkeys(values.keys() - {LIMIT_EXCEPTIONS}), **_without_header(replaced.get(name) or {})}
        for name, values in share.items()
        if name not in request.new_services
    }
    return _merge(request, listener, back)


def _without_header(values: Values) -> Values:
    """What stood there before, but for a header that somebody had turned on by hand, as how-tos say."""
    return {name: value for name, value in values.items() if name not in PROXY_PARAMETERS.values() or not value}


def _came_for(before: Settings, request: Request, listener: Listener, replaced: Mapping[str, Values | None]) -> bool:
    """Whether an entry is there for the listener alone. One that the host had before it never is."""
    entry = before.entries.get(listener.service)
    if entry is None or OWN_ENTRY.items() <= entry.overrides.items():
        return True
    return listener.service in request.new_services and replaced.get(listener.service, {}) is None


def replaced_overrides(
    before: Settings, request: Request, known: Mapping[str, Values | None]
) -> dict[str, Values | None]:
    """What stood, by service, where a listener has put, or is about to put, its own.

    That are overrides, or None for an entry that came together with its listener.
    """
    kept = {name: values for name, values in known.items() if values is not None or name in before.entries}
    for listener in request.listeners:
        if listener.present and listener.service not in before.entries:
            kept[listener.service] = None
        share = _share(before, request, listener)
        came = {name for name in share if listener.present and kept.get(name, {}) is None}
        if not listener.expects_header or not _is_marked(before, share):
            kept = {name: values for name, values in kept.items() if name not in share.keys() - came}
        if listener.expects_header:
            for name in share.keys() - came:
                overrides = _overrides_of(before, name)
                found = _replaced_by(share[name], overrides, kept.get(name) or {}, _is_marked(before, share))
                kept.update({name: found} if found else {})
    return kept


def _replaced_by(values: Values, overrides: Mapping[str, str], known: Values, is_here: bool) -> Values:
    """What stood where a listener puts its values. None stands for nothing, where that can not be told later on."""
    found: Values = {} if is_here else {name: value for name, value in overrides.items() if name in values}
    if LIMIT_EXCEPTIONS in values and LIMIT_EXCEPTIONS not in known:
        found[LIMIT_EXCEPTIONS] = overrides.get(LIMIT_EXCEPTIONS)
    return {**known, **found}


def _as_asked(before: Settings, request: Request) -> Settings:
    """What is there with what the task itself sets: a limit may come together with the listener."""
    parameters = {**before.parameters, **request.parameters}
    return replace(
        before,
        parameters={name: value for name, value in parameters.items() if value is not None},
        entries={name: with_overrides(entry, request.services.get(name, {})) for name, entry in before.entries.items()},
    )


def _share(before: Settings, request: Request, listener: Listener) -> dict[str, Values]:
    """The overrides of a listener, but for those on a service that it shares with another one.

    Several postscreen services may have one smtpd behind them: its guard came with the first, and goes with the last.
    """
    entry = before.entries.get(listener.service)
    if entry is None or entry.command not in PROXY_PARAMETERS:
        return {}
    others = {name for name in before.entries if _is_marked(before, [name])}
    if not listener.expects_header:
        others -= {other.service for other in request.without_header}
        others |= {other.service for other in request.with_header} & set(before.entries)
    shared: set[str] = set()
    for name in others - {listener.service}:
        if before.entries[name].command in PROXY_PARAMETERS:
            shared.update(listener_services(before, before.entries[name], Listener(name)))
    asked = _as_asked(before, request)
    services = listener_services(asked, asked.entries[listener.service], listener)
    return {name: values for name, values in services.items() if name not in shared - {listener.service}}


def _refuse_removal(request: Request, listener: Listener, services: Iterable[str]) -> None:
    for name in services:
        if name in request.new_services and request.new_services[name] is None:
            raise PostfixError(
                f"new_services.{name}: null removes the entry, and {listener.option} is to serve there. Leave one of "
                f"the two out, or write {listener.option}.state: absent"
            )


def _refuse_version(mail_version: str, listener: Listener) -> None:
    """Postfix release notes: v1 since 2.10, v2 since 3.5."""
    numbers = [int(number) for number in re.findall(r"\d+", mail_version)[:2]]
    if listener.version != "v1" and numbers and numbers < [3, 5]:
        raise PostfixError(
            f"{listener.option}.proxy_protocol_version: Postfix {mail_version} does not understand "
            f"{listener.version}, which needs Postfix 3.5; let the load balancer send v1"
        )


def listener_services(before: Settings, entry: Entry, listener: Listener) -> dict[str, Values]:
    """The overrides of every entry that a connection to the listener goes through.

    Behind postscreen, smtpd decides who may relay (so the guard goes there) and must not look for a header itself.
    """
    guard: Values = {"mynetworks": ", ".join(trusted_members(listener)), **dict.fromkeys(GUARDED_HOST_LISTS, "")}
    proxy: Values = {PROXY_PARAMETERS[entry.command]: GUIDE_REFERENCE}
    if entry.command == "smtpd":
        return {listener.service: {**proxy, **guard, **_exceptions(before, listener.service, entry, listener)}}
    behind = before.value(listener.service, "smtpd_service_name") or "smtpd"
    smtpd = before.entries.get(f"{behind}/pass")
    guard.update(_exceptions(before, f"{behind}/pass", smtpd, listener) if smtpd else {})
    # postscreen_access_list: the clients of mynetworks skip postscreen's tests, and gain nothing else by it. The load
    # balancer's probes must skip them, for they do not wait.
    skipping = ", ".join(known_members(listener))
    return {listener.service: {**proxy, "mynetworks": skipping}, f"{behind}/pass": guard}


def _exceptions(before: Settings, service: str, entry: Entry, listener: Listener) -> Values:
    """Where limits by address are set, except the load balancer's checks: they follow mynetworks, and that is empty."""
    said = {name: entry.overrides.get(name, before.parameters.get(name, "0")) for name in CHECK_LIMITS}
    if not listener.balancer_networks or all(value == "0" for value in said.values()):
        return {}
    return {LIMIT_EXCEPTIONS: ", ".join(dict.fromkeys(known_members(listener)))}


def trusted_members(listener: Listener) -> list[str]:
    """The trusted clients, as members of a list of Postfix."""
    return [_member(network) for network in listener.trusted_clients or ()]


def known_members(listener: Listener) -> list[str]:
    """The trusted clients and the load balancer."""
    return [*trusted_members(listener), *(_member(network) for network in listener.balancer_networks)]


def _member(network: str) -> str:
    """An IPv6 network in brackets: without, postconf(5) takes it for a table (type:name), and all mail is deferred."""
    address, slash, length = network.strip().replace("[", "").replace("]", "").partition("/")
    return f"[{address}]{slash}{length}" if ":" in address else network.strip()


def _is_guarded(before: Settings, services: Collection[str]) -> bool:
    """Whether a listener of this collection is here, with its guard."""
    guarded = any(_overrides_of(before, name).keys() & set(GUARDED_HOST_LISTS) for name in services)
    return guarded and _is_marked(before, services)


def _is_marked(before: Settings, services: Iterable[str]) -> bool:
    """Whether a listener of this collection is here: the reference to the guide's line is the mark of it."""
    return any(GUIDE_REFERENCE in _overrides_of(before, name).values() for name in services)


def _with_guides_line(before: Settings, request: Request) -> Request:
    """The guide's line is there as long as any service uses it, or another line of main.cf."""
    entries = {**before.entries, **request.new_services}
    after = [with_overrides(entry, request.services.get(name, {})) for name, entry in entries.items() if entry]
    values = [value for entry in after for value in entry.overrides.values()]
    values += [value for value in {**before.parameters, **request.parameters}.values() if value]
    if GUIDE_PARAMETER not in references(values):
        line: Values = {GUIDE_PARAMETER: None}
    elif request.with_header:
        line = {GUIDE_PARAMETER: "haproxy"}
    else:
        return request
    _refuse_conflict("parameters", request.parameters, line, request.listeners[0])
    return replace(request, parameters={**request.parameters, **line})


def _overrides_of(before: Settings, service: str) -> Mapping[str, str]:
    return before.entries[service].overrides if service in before.entries else {}


def _merge(request: Request, listener: Listener, services: Mapping[str, Values]) -> Request:
    """Add what a listener implies; a new entry takes its overrides into itself."""
    merged = dict(request.services)
    entries = dict(request.new_services)
    for name, values in services.items():
        entry = entries.get(name)
        if entry is None:
            _refuse_conflict(f"services.{name}", merged.get(name, {}), values, listener)
            merged[name] = {**merged.get(name, {}), **values}
        else:
            _refuse_conflict(f"new_services.{name}.parameters", entry.overrides, values, listener)
            entries[name] = with_overrides(entry, values)
    return replace(request, services=merged, new_services=entries)


def _refuse_conflict(option: str, written: Mapping[str, str | None], implied: Values, listener: Listener) -> None:
    for name in written:
        if name in implied and written[name] != implied[name]:
            raise PostfixError(
                f"{option}.{name} ({written[name]!r}) contradicts {listener.option}, which sets it to {implied[name]!r}"
            )


def _refuse_cut_off(
    before: Settings, listener: Listener, services: list[str], is_own_address: Callable[[str], bool]
) -> None:
    for service in services:
        wide = wide_networks(before.networks(service), is_own_address)
        if wide:
            raise PostfixError(
                f"{service} lets senders of mynetworks relay by their address today ({', '.join(wide)}); behind the "
                f"load balancer an address is only a claim. Say what is meant with {listener.option}.trusted_clients "
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
