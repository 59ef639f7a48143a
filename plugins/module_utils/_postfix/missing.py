# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A listener that master.cf has no entry for: the one that is made for it, or the one to make. Pure. Private to the
collection.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import suggestion
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    GUARDED_HOST_LISTS,
    OWN_ENTRY,
    PROXY_PARAMETERS,
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
)

# The names that services(5) files give the ports of submission: RFC 6409, RFC 8314, and older ones for 465.
_SUBMISSION = {
    **dict.fromkeys(("587", "submission"), "submission"),
    **dict.fromkeys(("465", "submissions", "smtps", "ssmtp", "urd"), "submissions"),
}
# As in the entries that Debian's master.cf has as comments. The client lists are empty, for the main.cf of many hosts
# has rules in them that are meant for strangers.
_SUBMISSION_ENTRY = """\
new_services:
  {service}:
    command: smtpd
    chroot: {chroot}
    parameters:
      syslog_name: postfix/{name}
{tls}
      smtpd_sasl_auth_enable: true
      smtpd_client_restrictions: ""
      smtpd_helo_restrictions: ""
      smtpd_sender_restrictions: ""
      smtpd_relay_restrictions: permit_sasl_authenticated, reject
      smtpd_recipient_restrictions: ""
      milter_macro_daemon_name: ORIGINATING"""
_TLS = {
    "submission": "      smtpd_tls_security_level: encrypt\n      smtpd_tls_auth_only: true",
    "submissions": "      smtpd_tls_wrappermode: true",
}


def with_own_entry(before: Settings, request: Request, listener: Listener) -> Request:
    """Add the listener's entry where it is a port number that master.cf does not have: that of port 25."""
    if entry_of(before, request, listener):
        return request
    port = listener.service.rsplit("/", 1)[0].rpartition(":")[2]
    if port in _SUBMISSION or not re.fullmatch(r"(.+:)?\d+/inet", listener.service):
        raise PostfixError(_advice(before, listener, port))
    smtp = _port_25(before)
    behind = before.value(smtp.service, "smtpd_service_name") or "smtpd"
    model = smtp if smtp.command == "smtpd" else before.entries.get(f"{behind}/pass", smtp)
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
    return as_whole_entry(request, listener.service, own)


def _port_25(before: Settings) -> Entry:
    """The entry that takes mail from the network, however it is written: its filters are those of a port like it."""
    serving = [
        entry
        for name, entry in before.entries.items()
        if re.fullmatch(r"(.+:)?(smtp|25)/inet", name) and not re.match(r"127\.|localhost:|\[::1\]:", name)
    ]
    return min(serving, key=lambda entry: ":" in entry.service, default=Entry("smtp/inet", command="smtpd"))


def entry_of(before: Settings, request: Request, listener: Listener) -> Entry | None:
    return before.entries.get(listener.service) or request.new_services.get(listener.service)


def as_whole_entry(request: Request, service: str, entry: Entry | None) -> Request:
    """The request with a whole entry, or its removal, in place of single overrides of that service."""
    services = {name: values for name, values in request.services.items() if name != service}
    return replace(request, services=services, new_services={**request.new_services, service: entry})


def _advice(before: Settings, listener: Listener, port: str) -> str:
    text = (
        f"{listener.option}.service: master.cf has no entry {listener.service}"
        f"{suggestion(listener.service, before.entries)}; add it with new_services"
    )
    name = _SUBMISSION.get(port)
    if name is None:
        return text
    chroot = "true" if _port_25(before).chroot == "y" else "false"
    entry = _SUBMISSION_ENTRY.format(service=listener.service, name=name, tls=_TLS[name], chroot=chroot)
    return f"{text} (role: postfix_backend_new_services), for example:\n{entry}"
