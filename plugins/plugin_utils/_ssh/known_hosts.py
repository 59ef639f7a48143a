# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of known host keys, in the format of sshd(8), and what they say of a key that a host shows.

Private to the collection. Reads text and decides; opens no file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import typing as t
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

SSH_PORT = 22
REVOKED = "@revoked"
AUTHORITY = "@cert-authority"
MARKERS = ("", REVOKED, AUTHORITY)
HASHED = "|1|"


class Verdict(Enum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"  # other keys are known for this host, and this one is not
    REVOKED = "revoked"
    CERTIFICATE = "certificate"  # only a certificate of an authority would do
    UNREADABLE = "unreadable"  # a line about this host can not be read


@dataclass(frozen=True)
class HostKey:
    key_type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"{self.key_type} SHA256:{digest}"

    def __str__(self) -> str:
        return f"{self.key_type} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True)
class Line:
    """A line of a known_hosts file. ``key`` is None where it can not be read."""

    place: str
    marker: str
    hosts: str
    key: HostKey | None


@dataclass(frozen=True)
class Judgement:
    """``places`` are the lines that led to the verdict."""

    verdict: Verdict
    places: tuple[str, ...] = ()


def parse(text: str, path: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if words and not _is_version_1(words):
            yield Line(f"{path}:{number}", marker, words[0], _key(words[1:]) if marker in MARKERS else None)


def _is_version_1(words: list[str]) -> bool:
    """A key of the first version of the protocol: HOSTS BITS EXPONENT MODULUS. No host shows one any more."""
    return len(words) > 3 and all(word.isdigit() for word in words[1:4])


def _key(words: list[str]) -> HostKey | None:
    """The key, whose binary form begins with the length and the name of its type (RFC 4253, 6.6)."""
    if len(words) < 2:
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    name = words[0].encode()
    return HostKey(words[0], blob) if blob.startswith(len(name).to_bytes(4, "big") + name) else None


def name_of(host: str, port: int) -> str:
    """How a host is called in the files."""
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def judge(lines: Iterable[Line], host: str, port: int, shown: HostKey) -> Judgement:
    """What the files say of a key. They name a host with its port; a key listed without one is good on all ports."""
    lines = list(lines)
    about = [line for line in lines if matches(line.hosts, name_of(host, port))]
    about_all_ports = [line for line in lines if matches(line.hosts, name_of(host, SSH_PORT))]
    keys = [line for line in about if not line.marker]
    for verdict, found in (
        (Verdict.REVOKED, _with_key(_marked((*about, *about_all_ports), REVOKED), shown)),
        (Verdict.UNREADABLE, [line for line in (*about, *about_all_ports) if _may_revoke(line)]),
        (Verdict.KNOWN, _with_key(keys, shown)),
        (Verdict.UNREADABLE, [line for line in about if line.key is None]),
        (Verdict.CHANGED, keys),
        (Verdict.KNOWN, _with_key(_marked(about_all_ports, ""), shown)),
        (Verdict.CERTIFICATE, _marked(about, AUTHORITY)),
    ):
        if found:
            return Judgement(verdict, tuple(dict.fromkeys(line.place for line in found)))
    return Judgement(Verdict.UNKNOWN)


def known_types(lines: Iterable[Line], host: str, port: int) -> list[str]:
    """Types of the keys that are known for a host: what to ask it for. Those of its port come before those that are
    good on all ports."""
    keys = [(line.hosts, line.key) for line in lines if line.key and not line.marker]
    names = (name_of(host, port), name_of(host, SSH_PORT))
    return list(dict.fromkeys(key.key_type for name in names for hosts, key in keys if matches(hosts, name)))


def _marked(lines: Iterable[Line], marker: str) -> list[Line]:
    return [line for line in lines if line.marker == marker]


def _may_revoke(line: Line) -> bool:
    """Whether it could be meant to revoke whatever key is shown."""
    return line.key is None and line.marker not in ("", AUTHORITY)


def _with_key(lines: Iterable[Line], key: HostKey) -> list[Line]:
    return [line for line in lines if line.key == key]


def matches(hosts: str, name: str) -> bool:
    """Whether the first field of a line stands for a host."""
    if hosts.startswith(HASHED):
        return _is_hash_of(hosts, name)
    found = False
    for pattern in hosts.lower().split(","):
        if pattern.startswith("!"):
            if _pattern(pattern[1:]).fullmatch(name):
                return False
        elif _pattern(pattern).fullmatch(name):
            found = True
    return found


def _pattern(pattern: str) -> re.Pattern[str]:
    """Brackets stand for themselves here, as they do around a host with a port."""
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern))


def _is_hash_of(hosts: str, name: str) -> bool:
    """``|1|SALT|HMAC-SHA1`` of a single name."""
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in hosts[len(HASHED) :].split("|"))
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


@dataclass(frozen=True)
class Policy:
    """Which host keys are good enough. Nothing here admits a key that the files speak against."""

    files: tuple[str, ...]
    admit_unknown: bool = False
    record: bool = False

    def refusal(self, judgement: Judgement, host: str, port: int, shown: HostKey) -> str | None:
        """Why there is no connection, and what to do; None where there is one."""
        if judgement.verdict == Verdict.KNOWN or (judgement.verdict == Verdict.UNKNOWN and self.admit_unknown):
            return None
        facts = {
            "host": f"{host} port {port}",
            "key": shown.fingerprint,
            "places": ", ".join(judgement.places),
            "files": ", ".join(self.files) or "(known_hosts is an empty list)",
            "add": f"'{name_of(host, port)} {shown}'",
        }
        return REFUSALS[judgement.verdict].format(**facts)


REFUSALS: t.Final = {
    Verdict.UNKNOWN: (
        "{host} shows the host key {key}, which none of {files} lists. Compare it with the host's own (ssh-keygen -lf "
        "/etc/ssh/ssh_host_*_key.pub there), then add the line {add}; or set host_key_auto_add or host_key_checking "
        "(ansible_host_key_checking) if any key will do"
    ),
    Verdict.CHANGED: (
        "THE HOST KEY HAS CHANGED: {host} shows {key}, and {places} has another. Either the host was set up anew or "
        "somebody else answers in its place. Compare the key with the host's own; if it is the host, replace that line "
        "with {add}. No option admits a changed key"
    ),
    Verdict.REVOKED: (
        "{host} shows the host key {key}, which {places} revokes. Whoever has it may be anybody: give the host a new "
        "key. No option admits a revoked key"
    ),
    Verdict.CERTIFICATE: (
        "{places} wants a host certificate of {host}, and paramiko can not ask for one. Add the host's own key after "
        "comparing it, as the line {add}; or use the connection ansible.builtin.ssh"
    ),
    Verdict.UNREADABLE: (
        "{places} is about {host} and can not be read: a host, a type and a key were expected, after @revoked or "
        "@cert-authority if that is meant. Correct or remove the line"
    ),
}
