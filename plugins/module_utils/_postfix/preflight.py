# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around a listener of the load balancer, judged before anything is written. Private to the collection.

Everything here is pure; ``surroundings`` reads what the host shows.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.grants import PARAMETERS as GRANTS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.grants import (
    address_permits,
    other_grants,
    unknown_permits,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import (
    GuardError,
    Network,
    outsiders,
    read_networks,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import (
    known_members,
    listener_services,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    PROXY_PARAMETERS,
    Listener,
    PostfixError,
    Settings,
    is_proxied,
)


@dataclass(frozen=True)
class Surroundings:
    """What a host shows about the use of its listener."""

    sessions: str = ""
    """Output of ``ss -Htn`` for the listener's port."""
    own_addresses: tuple[str, ...] = ()
    local_senders: tuple[str, ...] = ()
    """Programs of the host that speak SMTP to the listener, in words."""


def refuse_cut_off(before: Settings, listener: Listener, around: Surroundings) -> None:
    """Raise for what would shut out who uses the listener today."""
    if listener.allow_cutover or not listener.balancer_networks or not _is_new(before, listener):
        return
    others = outsiders(around.sessions, _networks(listener))
    if others:
        raise PostfixError(
            f"{', '.join(others)} {'use' if len(others) > 1 else 'uses'} {listener.service} of this host now, without "
            "a PROXY header, and would be answered 421. Let them send to the load balancer, give it a port of its own "
            f"({listener.option}.service: 10025/inet), or accept it with {listener.option}.allow_cutover (role: "
            "postfix_backend_allow_cutover)"
        )


def _networks(listener: Listener) -> tuple[Network, ...]:
    try:
        return read_networks(f"{listener.option}.balancer_networks", listener.balancer_networks)
    except GuardError as error:
        raise PostfixError(str(error)) from error


def _is_new(before: Settings, listener: Listener) -> bool:
    """Whether the listener serves without a header today."""
    return listener.service in before.entries and not is_proxied(before, listener.service)


def refuse_trusted_balancer(after: Settings, listener: Listener) -> None:
    """Raise for what would relay for the load balancer itself: for everybody, where it sends no header."""
    if listener.allow_address_permits or not listener.present or not listener.balancer_networks:
        return
    balancer = _networks(listener)
    for name, value in _trusting(after, listener).items():
        for network in _parsed(value):
            inside = [str(own) for own in balancer if own.version == network.version and own.overlaps(network)]
            if inside:
                raise PostfixError(
                    f"{name} contains {network}, from where the load balancer speaks to this host "
                    f"({', '.join(inside)}): whatever comes through it without a PROXY header could relay. Take it out "
                    f"of the list, or accept it with {listener.option}.allow_address_permits (role: "
                    "postfix_backend_allow_address_permits)"
                )


def unjudged_trust(after: Settings, listener: Listener) -> Iterator[str]:
    """What may hold the load balancer's addresses, and only a look-up tells, where every client has one of these."""
    entry = after.entries.get(listener.service)
    is_plain = listener.present and not listener.expects_header and not listener.allow_address_permits
    if not is_plain or not listener.balancer_networks or entry is None or entry.command not in PROXY_PARAMETERS:
        return
    service = _serving(after, listener)[-1]
    if service not in after.entries:
        return
    tables = [word for word in re.split(r"[,\s]+", after.networks(service)) if re.match(r"(\w+:)*/", word)]
    permits = [word for word in address_permits(after, service) if not word.startswith("permit_inet_interfaces")]
    found = [*(f"{word} in mynetworks" for word in tables), *permits, *unknown_permits(after, service)]
    if found:
        yield (
            f"{listener.service} gets no PROXY header, so every client has an address of the load balancer "
            f"({', '.join(listener.balancer_networks)}), and {'; '.join(found)} may let that relay. Make sure that "
            f"none does, then accept it with {listener.option}.allow_address_permits (role: "
            "postfix_backend_allow_address_permits)"
        )


def _trusting(after: Settings, listener: Listener) -> dict[str, str]:
    if not listener.expects_header:
        return {"mynetworks": after.networks(listener.service)}
    return {
        "mynetworks": after.networks(),
        f"{listener.option}.trusted_clients": ", ".join(listener.trusted_clients or ()),
    }


def _parsed(value: str) -> Iterator[Network]:
    """The networks of a list; tables can not be judged here."""
    for word in re.split(r"[,\s]+", value):
        try:
            yield ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue


def refuse_teaser(after: Settings, listener: Listener) -> None:
    """Raise where postscreen answers the load balancer's checks with its teaser, 220-, which they do not understand.

    It spares the addresses that its access list permits; the guard puts the load balancer's into ``mynetworks``.
    """
    entry = after.entries.get(listener.service)
    if not listener.checked_by_smtp or entry is None or entry.command != "postscreen":
        return
    spared = listener.expects_header and "permit_mynetworks" in after.value(listener.service, "postscreen_access_list")
    if after.value(listener.service, "postscreen_greet_banner") and not spared:
        raise PostfixError(
            f"{listener.option}.checked_by_smtp: postscreen on {listener.service} greets the load balancer's SMTP "
            "checks with 220-, the teaser of its tests, and they would find the server down. Empty its "
            "postscreen_greet_banner, have permit_mynetworks in postscreen_access_list and a header, or check by tcp"
        )


def notices(before: Settings, after: Settings, listener: Listener, around: Surroundings) -> list[str]:
    """What the operator should know. All but the first three are said once: when the header is turned on."""
    said = [*_ipv6(after, listener), *_version(after, listener), *_unknown_permits(after, listener)]
    if not is_proxied(before, listener.service):
        said += [*_neighbours(listener, around), *_pipelining(after, listener), *_programs(after, listener)]
        said += [*_other_grants(after, listener), *_local_programs(before, listener, around)]
    return said


def _serving(after: Settings, listener: Listener) -> list[str]:
    """The services that a connection goes through, that of smtpd last: it is the one that decides about mail."""
    return list(listener_services(after, after.entries[listener.service], listener))


def _version(after: Settings, listener: Listener) -> Iterator[str]:
    """smtpd ends with a fatal error when it can not look up the peer of a LOCAL connection; gone in Postfix 3.11."""
    numbers = [int(number) for number in re.findall(r"\d+", after.effective.get("mail_version", ""))[:2]]
    if listener.version != "v1" and numbers < [3, 11] and after.entries[listener.service].command == "smtpd":
        yield (
            f"{listener.option}.proxy_protocol_version: with {listener.version} a load balancer checks its servers by "
            f"the command LOCAL, and before Postfix 3.11 that and a reset take smtpd of {listener.service} down, while "
            "the check shows UP. Let it send v1 or, at the least, check by SMTP and never by tcp"
        )


def _unknown_permits(after: Settings, listener: Listener) -> Iterator[str]:
    found = [] if listener.allow_address_permits else unknown_permits(after, _serving(after, listener)[-1])
    if found:
        yield (
            f"{listener.service} lets {'; '.join(found)} decide who may relay. Should it permit a client for its "
            "address, which a PROXY header only claims, mail is relayed for whoever reaches the port. Move it behind "
            f"reject_unauth_destination, or accept it with {listener.option}.allow_address_permits (role: "
            "postfix_backend_allow_address_permits)"
        )


def _other_grants(after: Settings, listener: Listener) -> Iterator[str]:
    known = known_members(listener)
    for service in _serving(after, listener):
        for parameter, value in other_grants(after, service, known).items():
            if parameter.startswith("postscreen") == (after.entries[service].command == "postscreen"):
                yield (
                    f"{parameter} = {value}: {service} grants {GRANTS[parameter]} by the client's address, which a "
                    "PROXY header only claims"
                )


def _ipv6(after: Settings, listener: Listener) -> Iterator[str]:
    protocols = after.effective.get("inet_protocols", "all").replace(",", " ").split()
    if listener.balancer_ipv6 and not {"all", "ipv6"} & set(protocols):
        yield (
            "the load balancer has an IPv6 address, but inet_protocols leaves IPv6 out: Postfix answers 421 to every "
            "client that reached the load balancer over IPv6. Set inet_protocols = all, or publish no AAAA record"
        )


def _neighbours(listener: Listener, around: Surroundings) -> Iterator[str]:
    balancer = _networks(listener) if listener.balancer_networks else ()
    for text in around.own_addresses:
        address = ipaddress.ip_address(text)
        inside = [str(network) for network in balancer if address in network]
        if inside:
            yield (
                f"this host's own address {text} lies within {inside[0]}, from where the load balancer speaks: the "
                "firewall can not tell its neighbours from the load balancer, so only the guard within Postfix keeps "
                "them from forging headers"
            )


def _pipelining(after: Settings, listener: Listener) -> Iterator[str]:
    if after.value(listener.service, "smtpd_forbid_unauth_pipelining").lower() == "no":
        yield (
            "smtpd_forbid_unauth_pipelining = no: should this listener ever get a PROXY header that it does not "
            "expect, the session would go on one answer out of step. With yes it is refused at once"
        )


def _programs(after: Settings, listener: Listener) -> Iterator[str]:
    service = _serving(after, listener)[-1]
    milters = after.value(service, "smtpd_milters")
    if milters:
        yield (
            f"the milters of {service} ({milters}) see the address that a PROXY header claims: let none of "
            "them trust 127.0.0.1 there (OpenDKIM: InternalHosts; Rspamd: local_addrs)"
        )
    for parameter in ("smtpd_proxy_filter", "content_filter"):
        program = after.value(service, parameter)
        if program:
            yield (
                f"{parameter} = {program}: what {service} hands its mail to may be told the address that a PROXY "
                "header claims (XFORWARD): let it trust none for that (Amavis: @mynetworks)"
            )


def _local_programs(before: Settings, listener: Listener, around: Surroundings) -> Iterator[str]:
    if around.local_senders and listener.service in before.entries:
        yield (
            f"programs on this host speak SMTP to {listener.service} ({', '.join(around.local_senders)}). They send no "
            "PROXY header and get 421: let them use sendmail or submission, or give the load balancer a port of its "
            f"own ({listener.option}.service: 10025/inet, role: postfix_backend_listener)"
        )


# "postfix/smtpd[123]: 4XyZ: client=localhost[127.0.0.1]": a message, not only a look at the greeting.
_TAKEN = r"{program}\[\d+\]: \w+: client=[^\[]*\[(?:127\.[\d.]+|::1)\]"
_SOCKET_USER = re.compile(r'users:\(\("([^"]+)"')


def local_senders(log: str, program: str, sockets: str) -> tuple[str, ...]:
    """Who on this host uses the listener.

    :param log: the end of the mail log.
    :param program: the listener's name there, for example ``postfix/smtpd``.
    :param sockets: ``ss -Htnp`` of sessions whose other end is the listener.
    """
    messages = len(re.findall(_TAKEN.format(program=re.escape(program)), log))
    programs = sorted(set(_SOCKET_USER.findall(sockets)) - {"smtpd", "postscreen"})
    told = [f"{messages} messages from 127.0.0.1 in the mail log"] if messages else []
    return (*programs, *told)
