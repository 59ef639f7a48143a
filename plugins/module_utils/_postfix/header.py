# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which services expect a PROXY header, and what makes them. Pure. Private to the collection.

Many how-tos set ``smtpd_upstream_proxy_protocol = haproxy`` in main.cf, where every smtpd of the host inherits it:
submission, re-injection from a filter, and a listener that was to forget the header.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUIDE_PARAMETER,
    MAIN,
    PROXY_PARAMETERS,
    Listener,
    PostfixError,
    Request,
    Settings,
    is_proxied,
)


def refuse_wrong(after: Settings, request: Request, main: str) -> None:
    """Raise where a listener would expect a header that it is to forget, or none although it is to expect one.

    :param main: the text of main.cf, to name the line to blame.
    """
    for listener in request.with_header:
        if not is_proxied(after, listener.service):
            raise PostfixError(_would_not(after, listener))
    for listener in request.without_header:
        if is_proxied(after, listener.service):
            raise PostfixError(_would_still(after, listener, request, main))


def inherited(after: Settings, request: Request, main: str) -> list[str]:
    """What to say of services that are no listeners and expect a header because main.cf says so."""
    said = []
    for parameter in PROXY_PARAMETERS.values():
        heirs = _heirs(after, parameter, {listener.service for listener in request.listeners})
        if heirs:
            said.append(
                f"{', '.join(heirs)} {'expect' if len(heirs) > 1 else 'expects'} a PROXY header too, because of "
                f"{_line(parameter, after, main)}: every client there that sends none is answered 421. Remove the "
                f"line (parameters: {{{parameter}: null}}, role: postfix_backend_parameters); a listener needs none"
            )
    return said


def _would_not(after: Settings, listener: Listener) -> str:
    shadow = after.entries[listener.service].overrides.get(GUIDE_PARAMETER)
    if shadow is not None:
        return (
            f"{listener.option}: {listener.service} would not expect a PROXY header, because its entry in master.cf "
            f"has -o {GUIDE_PARAMETER}={shadow}. Remove that override (services: {{{listener.service}: "
            f"{{{GUIDE_PARAMETER}: null}}}}, role: postfix_backend_services)"
        )
    return (
        f"{listener.option}: {listener.service} would not expect a PROXY header; remove {GUIDE_PARAMETER} and the "
        "*_upstream_proxy_protocol parameters from parameters and services"
    )


def _would_still(after: Settings, listener: Listener, request: Request, main: str) -> str:
    entry = after.entries[listener.service]
    parameter = PROXY_PARAMETERS[entry.command]
    override = entry.overrides.get(parameter)
    text = f"{listener.option}: {listener.service} would go on expecting a PROXY header, and answer 421 to every client"
    if override is not None:
        return (
            f"{text}, because its entry in master.cf has -o {parameter}={override}, set by hand. Remove it "
            f"(services: {{{listener.service}: {{{parameter}: null}}}}, role: postfix_backend_services)"
        )
    heirs = _heirs(after, parameter, {other.service for other in request.listeners})
    others = f". {', '.join(heirs)} inherit{'s' if len(heirs) == 1 else ''} it too" if heirs else ""
    return (
        f"{text}, because of {_line(parameter, after, main)}. Remove the line (parameters: {{{parameter}: null}}, "
        f"role: postfix_backend_parameters){others}"
    )


def _heirs(after: Settings, parameter: str, apart_from: Collection[str]) -> list[str]:
    """The network services that expect a header without an override of their own."""
    return [
        name
        for name, entry in after.entries.items()
        if name.endswith("/inet")
        and name not in apart_from
        and PROXY_PARAMETERS.get(entry.command) == parameter
        and parameter not in entry.overrides
        and is_proxied(after, name)
    ]


def _line(parameter: str, after: Settings, main: str) -> str:
    lines = main.splitlines()
    found = [number for number, line in enumerate(lines, 1) if re.match(rf"{re.escape(parameter)}\s*=", line)]
    where = f"{MAIN} line {found[-1]}" if found else MAIN
    return f"{where}, {parameter} = {after.parameters.get(parameter, 'haproxy')}"
