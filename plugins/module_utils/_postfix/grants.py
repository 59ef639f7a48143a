# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Postfix grants to a client for its address, which behind the load balancer is only a claim. Pure. Private to the
collection.

The source is postconf(5) of Postfix 3.7 to 3.10.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import BLANKS, Settings, words

REFUSED = "permits by the client's address"
WARNED = "may permit by the client's address: nobody but the program behind it knows"
GUARDED = "permits by mynetworks, which a listener has of its own"
SAFE = "sees the client's address, but Postfix takes no OK from it here"
ELSE = "permits by something else than the client's address"
# Every restriction of smtpd that can permit.
RESTRICTIONS = {
    "check_client_access": REFUSED,
    "permit_inet_interfaces": REFUSED,
    "check_policy_service": WARNED,
    "permit_mynetworks": GUARDED,
    # "a result of OK is not allowed for safety reasons"
    "check_client_a_access": SAFE,
    "check_client_mx_access": SAFE,
    "check_client_ns_access": SAFE,
    "check_reverse_client_hostname_access": SAFE,
    "check_reverse_client_hostname_a_access": SAFE,
    "check_reverse_client_hostname_mx_access": SAFE,
    "check_reverse_client_hostname_ns_access": SAFE,
    # "silently ignored when it would override reject_unauth_destination"
    "permit_dnswl_client": SAFE,
    "permit_rhswl_client": SAFE,
    "check_ccert_access": ELSE,
    "check_etrn_access": ELSE,
    "check_helo_a_access": ELSE,
    "check_helo_access": ELSE,
    "check_helo_mx_access": ELSE,
    "check_helo_ns_access": ELSE,
    "check_recipient_a_access": ELSE,
    "check_recipient_access": ELSE,
    "check_recipient_mx_access": ELSE,
    "check_recipient_ns_access": ELSE,
    "check_sasl_access": ELSE,
    "check_sender_a_access": ELSE,
    "check_sender_access": ELSE,
    "check_sender_mx_access": ELSE,
    "check_sender_ns_access": ELSE,
    "permit_auth_destination": ELSE,
    "permit_mx_backup": ELSE,
    "permit_naked_ip_address": ELSE,  # the name in HELO
    "permit_sasl_authenticated": ELSE,
    "permit_tls_all_clientcerts": ELSE,
    "permit_tls_clientcerts": ELSE,
}
# Parameters that grant something smaller by address. Their default is nobody or, where it is $mynetworks, whom the
# listener's own mynetworks has, which is why it is only asked what was set. Others withhold something by address
# (smtpd_sasl_exceptions_networks, smtpd_discard_ehlo_keyword_address_maps) or complete addresses in headers
# (local_header_rewrite_clients). A permit in a list that comes before smtpd_relay_restrictions ends that list only.
PARAMETERS = {
    "authorized_verp_clients": "the XVERP command",
    "smtpd_authorized_verp_clients": "the XVERP command",
    "smtpd_client_event_limit_exceptions": "no limits of connections and rates",
    "smtpd_forbid_bare_newline_exclusions": "line ends that smuggle mail in",
    "smtpd_milter_maps": "other milters, or none",
    "postscreen_access_list": "no tests of postscreen",
}
_LISTS = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
# After these only mail for the host's own domains is left to permit.
_ENDS = ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer")


@dataclass(frozen=True)
class _Permits:
    """What one restriction list says before it ends for strangers, in words."""

    ends: bool
    refused: tuple[str, ...]
    warned: tuple[str, ...]


def address_permits(after: Settings, service: str) -> list[str]:
    """What grants relaying by client address on a service, whatever its mynetworks.

    A message must pass both lists, so one that ends without such a permit is enough.
    """
    lists = _read_lists(after, service)
    if any(found.ends and not found.refused for found in lists):
        return []
    return [word for found in lists for word in found.refused]


def unknown_permits(after: Settings, service: str) -> list[str]:
    """What may do so without that Postfix's own files tell."""
    lists = _read_lists(after, service)
    if any(found.ends and not found.refused and not found.warned for found in lists):
        return []
    return [word for found in lists for word in found.warned]


def other_grants(after: Settings, service: str, known: Collection[str] = ()) -> dict[str, str]:
    """The parameters with which somebody granted something smaller by address, and what they say.

    :param known: networks that were thought of.
    """
    own = after.entries[service].overrides
    said = {name: own.get(name, after.parameters.get(name, "")) for name in PARAMETERS}
    return {name: value for name, value in said.items() if _others(value, known)}


def _others(value: str, known: Collection[str]) -> list[str]:
    follows = ("$mynetworks", "${mynetworks}", "$(mynetworks)", "permit_mynetworks", "$authorized_verp_clients")
    return [word for word in re.split(r"[,\s]+", value) if word and word not in (*follows, *known)]


def _read_lists(after: Settings, service: str) -> list[_Permits]:
    return [_read_list(after, service, parameter) for parameter in _LISTS]


def _read_list(after: Settings, service: str, parameter: str) -> _Permits:
    listed = list(_words(after, service, after.value(service, parameter)))
    refused: list[str] = []
    warned: list[str] = []
    for place, word in enumerate(listed):
        if word.lower() in _ENDS and not (place and listed[place - 1].lower() == "warn_if_reject"):
            return _Permits(True, tuple(refused), tuple(warned))
        treatment = RESTRICTIONS.get(word.lower())
        argument = _first(listed[place + 1]) if word.lower().startswith("check_") and place + 1 < len(listed) else ""
        if treatment == REFUSED:
            refused.append(f"{word}{argument} in {parameter}")
        elif treatment == WARNED:
            warned.append(f"{word}{argument} in {parameter}")
        elif word.lower().startswith("check_"):
            # access(5): the result of a look-up may be the name of a restriction class.
            warned += [f"{name}, to which {word}{argument} in {parameter} may lead" for name in _led_to(after, service)]
    return _Permits(False, tuple(refused), tuple(warned))


def _words(after: Settings, service: str, value: str, depth: int = 0) -> Iterator[str]:
    """The words of a restriction list, with restriction classes replaced by what they stand for.

    What stands in braces is of an argument: inline:{ { spammer.example = reject } } does not end the list.
    """
    classes = _classes(after, service)
    for word in words(value, BLANKS + ","):
        if word in classes and depth < 10:
            yield from _words(after, service, classes[word], depth + 1)
        else:
            yield word


def _first(argument: str) -> str:
    """An argument without the options that braces add to it."""
    return "".join(f" {word}" for word in re.findall(r"[^\s,{}]+", argument)[:1])


def _led_to(after: Settings, service: str) -> list[str]:
    """The classes in which something permits by address."""
    known = (REFUSED, WARNED)
    return [
        f"{name} ({word})"
        for name, value in _classes(after, service).items()
        for word in _words(after, service, value)
        if RESTRICTIONS.get(word.lower()) in known
    ]


def _classes(after: Settings, service: str) -> Mapping[str, str]:
    names = after.value(service, "smtpd_restriction_classes").replace(",", " ").split()
    return {name: _expand(after, service, _said(after, service, name)) for name in names}


def _said(after: Settings, service: str, name: str) -> str:
    return after.expanded.get((service, name), after.parameters.get(name, ""))


def _expand(after: Settings, service: str, value: str, depth: int = 0) -> str:
    """Text with every $name of main.cf and of the entry replaced; postconf(1) expands no names that are one's own."""

    def said(match: re.Match[str]) -> str:
        return _expand(after, service, _said(after, service, match[1]), depth + 1)

    return value if depth > 10 else re.sub(r"\$[({]?([A-Za-z_][A-Za-z0-9_]*)[)}]?", said, value)
