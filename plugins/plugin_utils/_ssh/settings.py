# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach and enter a host, made of what users wrote into options. Private to the collection; decides only."""

from __future__ import annotations

import getpass
import os.path
import re
import typing as t
from dataclasses import dataclass, field

from .errors import FAILED, SshError
from .known_hosts import SSH_PORT, Policy

MAX_PORT = 65535


@dataclass(frozen=True)
class Hop:
    host: str
    port: int
    user: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} port {self.port}"


@dataclass(frozen=True)
class Credentials:
    """What to sign in with. No secret is part of its text."""

    key_file: str = ""
    key_text: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    use_agent: bool = True
    look_for_keys: bool = True

    def for_jump(self) -> Credentials:
        """The same keys. A password is for the host it was given for, and for no other on the way."""
        return Credentials(self.key_file, self.key_text, self.passphrase, "", self.use_agent, self.look_for_keys)


@dataclass(frozen=True)
class Settings:
    target: Hop
    jumps: tuple[Hop, ...]
    proxy_command: str
    credentials: Credentials
    policy: Policy
    timeout: float
    banner_timeout: float
    keepalive: int

    @property
    def way(self) -> tuple[t.Any, ...]:
        """What tells a connection that may be used again from another one. Passwords do not belong to it: whoever
        has the same way to the same user of the same host would get the same connection."""
        secretless = (self.credentials.key_file, self.credentials.use_agent, self.credentials.look_for_keys)
        policy = (self.policy.files, self.policy.admit_unknown)
        return (self.target, self.jumps, self.proxy_command, secretless, policy)


def settings(option: t.Callable[[str], t.Any]) -> Settings:
    """:raises SshError: for options that can not be meant."""
    target = Hop(_host(option), _port(option("port"), "port"), _text(option, "remote_user") or _own_name())
    jumps = parse_jumps(_text(option, "proxy_jump"), target.user)
    command = _text(option, "proxy_command")
    if jumps and command:
        raise SshError(FAILED, f"{target.host}: proxy_jump and proxy_command are both set; remove one of them")
    key_file = _text(option, "private_key_file")
    return Settings(
        target=target,
        jumps=jumps,
        proxy_command=expand(command, target),
        credentials=Credentials(
            key_file=os.path.abspath(os.path.expanduser(key_file)) if key_file else "",
            key_text=_text(option, "private_key"),
            passphrase=_text(option, "private_key_passphrase"),
            password=_text(option, "password"),
            use_agent=option("use_agent"),
            look_for_keys=option("look_for_keys"),
        ),
        policy=Policy(
            files=tuple(os.path.abspath(os.path.expanduser(str(path))) for path in option("known_hosts")),
            admit_unknown=not option("host_key_checking") or bool(option("host_key_auto_add")),
            record=option("record_host_keys"),
        ),
        timeout=_positive(option, "timeout"),
        banner_timeout=_positive(option, "banner_timeout"),
        keepalive=max(0, option("keepalive_interval")),
    )


def parse_jumps(text: str, user: str) -> tuple[Hop, ...]:
    """``[USER@]HOST[:PORT],…`` as in ssh(1), option -J."""
    if text.strip().lower() in ("", "none"):
        return ()
    return tuple(_jump(part.strip(), user) for part in text.split(","))


def _jump(text: str, user: str) -> Hop:
    name, dummy, place = text.rpartition("@")
    host, port = place, ""
    if place.startswith("["):
        host, dummy, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, dummy, port = place.partition(":")
    if not host:
        raise SshError(FAILED, f"proxy_jump has the part {text!r}; each is written [USER@]HOST[:PORT]")
    return Hop(host, _port(port or SSH_PORT, "proxy_jump"), name or user)


def expand(command: str, target: Hop) -> str:
    """Fill in what ssh_config(5) lets a ProxyCommand say of the host."""
    values = {"h": target.host, "p": str(target.port), "r": target.user, "%": "%"}
    return re.sub("%([hpr%])", lambda token: values[token[1]], command)


def _text(option: t.Callable[[str], t.Any], name: str) -> str:
    """Text of its own, also of a value that Vault encrypted."""
    value = option(name)
    return "" if value is None else str(value)


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as in a container with a number for a user; OSError since Python 3.13
        raise SshError(
            FAILED, "remote_user is not set, and the user who runs Ansible has no name; set remote_user (ansible_user)"
        ) from None


def _host(option: t.Callable[[str], t.Any]) -> str:
    host = _text(option, "remote_addr").strip()
    if not host:
        raise SshError(FAILED, "remote_addr (ansible_host) is empty; give the host a name or an address")
    return host.removeprefix("[").removesuffix("]")


def _port(value: t.Any, option: str) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port <= MAX_PORT:
        raise SshError(FAILED, f"{option} is {value!r}, which is no port; write a number from 1 to {MAX_PORT}")
    return port


def _positive(option: t.Callable[[str], t.Any], name: str) -> float:
    value = float(option(name))
    if value <= 0:
        raise SshError(FAILED, f"{name} is {value:g}; write a number of seconds above 0")
    return value
