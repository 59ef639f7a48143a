# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and quoting of HAProxy's configuration, and the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

from ..configuration import Configuration, Record
from ..schema import CERTIFICATE


def socket_path(directory: Path) -> Path:
    return directory / "haproxy.sock"


def certificate_path(directory: Path, id_: int) -> Path:
    """A certificate, its chain and its key."""
    return directory / f"ssl-{id_}.pem"


def chain_path(directory: Path, server: Record) -> Path:
    """What the server's own certificate is verified with."""
    return directory / f"chain-{server.id}.pem"


def files(configuration: Configuration, directory: Path) -> dict[Path, str]:
    """Content of the files that a rendered configuration may name."""
    found = {
        certificate_path(directory, certificate.id): material(certificate)
        for certificate in configuration.select(CERTIFICATE.name)
    }
    for server in configuration.kind("server"):
        if server.values.get("chain"):
            found[chain_path(directory, server)] = server.values["chain"]
    return found


def material(certificate: Record) -> str:
    parts = (certificate.values[name] for name in ("certificate", "chain", "key"))
    return "\n".join(part.strip() for part in parts if part) + "\n"


def server_cookie(server: Record) -> str:
    """With which a browser stays on its server."""
    return str(server.values["cookie"] or name_of(server))


def name_of(record: Record) -> str:
    return f"{record.resource.protocol}-{record.resource.kind}-{record.id}"


def quote(text: str) -> str:
    """One word of a configuration line, whatever the user wrote. (Dollars are special in double quotes only.)"""
    escaped = re.sub(r"""([\\ "'#])""", r"\\\1", text)
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in escaped) or '""'
