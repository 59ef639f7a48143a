# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host shows about who uses its listeners. Private to the collection."""

from __future__ import annotations

import os
import re
import shutil
import socket

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.host import PATH, run
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.layout import Lookup
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import PostfixError, Settings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preflight import Surroundings, local_senders
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.trial import port_number


def is_own_address(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def lookup() -> Lookup:
    """What this host answers about names; nothing where it does not know one."""
    return Lookup(port=_port, addresses=_resolved, is_own=is_own_address)


def _port(name: str) -> int | None:
    try:
        return port_number(name)
    except PostfixError:
        return None


def _resolved(name: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(sorted({str(address[0]).partition("%")[0] for *_kind, address in found}))


_MAIL_LOGS = ("/var/log/mail.log", "/var/log/maillog")
_LOG_END = 4 * 1024 * 1024


def surroundings(settings: Settings, service: str) -> Surroundings:
    """What can be seen of who uses a service that is to expect PROXY headers; little without ss(8) and a mail log."""
    port = port_number(service.rsplit("/", 1)[0].rpartition(":")[2])
    local = _output("ss", "-Htnp", "state", "established", f"( dport = :{port} ) and ( dst 127.0.0.0/8 or dst [::1] )")
    program = f"{settings.value(service, 'syslog_name') or 'postfix'}/smtpd"
    addresses = _output("ip", "-oneline", "address", "show", "scope", "global")
    return Surroundings(
        sessions=_output("ss", "-Htn", "state", "established", f"( sport = :{port} )"),
        own_addresses=tuple(re.findall(r" inet6? ([^/ ]+)", addresses)),
        local_senders=local_senders(_mail_log(program), program, local),
    )


def _output(*command: str) -> str:
    return run(*command).out if shutil.which(command[0], path=PATH) else ""


def _mail_log(program: str) -> str:
    """The end of the mail log, from its file or from the journal."""
    for path in _MAIL_LOGS:
        if os.path.exists(path):
            with open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - _LOG_END))
                return file.read().decode("utf-8", "replace")
    return _output("journalctl", "--quiet", "--output=short", "--lines=20000", f"--identifier={program}")
