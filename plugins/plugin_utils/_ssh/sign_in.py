# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From settings to a connection that has signed in: the way there, the host's key, the user. Private to the collection.

Nothing here asks anybody anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import shlex
import socket
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from . import library, private_keys
from .errors import FAILED, SIGN_IN, UNREACHABLE, SshError
from .known_hosts import HostKey, Line, Policy, Verdict, judge, known_types, name_of, parse
from .settings import Credentials, Hop, Settings

with contextlib.suppress(ImportError):
    import paramiko

# What a server calls an RSA key when it is asked to sign with it (RFC 8332).
SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
UNANSWERED_KEEPALIVES = 3
MOST_MILLISECONDS = 2**31 - 1  # that the kernel takes


def sign_in(settings: Settings) -> list[paramiko.Transport]:
    """Connect, through each jump host in turn. The last connection is the one to the host itself.

    :raises SshError: and leaves nothing open.
    """
    if library.MISSING:
        raise SshError(
            FAILED,
            f"the Python package paramiko is missing for {sys.executable}, which runs Ansible: "
            f"{sys.executable} -m pip install paramiko",
        )
    transports: list[paramiko.Transport] = []
    try:
        lines = read_known_hosts(settings.policy.files)
        for hop in (*settings.jumps, settings.target):
            transport = paramiko.Transport(_stream(settings, hop, transports))
            transports.append(transport)
            _negotiate(transport, hop, lines, settings)
            _admit(transport, hop, lines, settings.policy)
            credentials = settings.credentials
            _enter(transport, hop, credentials if hop is settings.target else credentials.for_jump())
            transport.set_keepalive(settings.keepalive)
    except BaseException:
        close(transports)
        raise
    return transports


def close(transports: list[paramiko.Transport]) -> None:
    for transport in reversed(transports):
        with contextlib.suppress(*library.LOST):  # it takes leave of the far side, which may be gone
            transport.close()


def _stream(settings: Settings, hop: Hop, transports: list[paramiko.Transport]) -> t.Any:
    """What to speak SSH over."""
    if transports:
        try:
            return transports[-1].open_channel(
                "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=settings.timeout
            )
        except library.LOST as error:
            raise SshError(UNREACHABLE, f"{hop} can not be reached from the jump host before it: {error}") from None
    if settings.proxy_command:
        return _start_proxy(settings.proxy_command, hop)
    return _dial(hop, settings)


def _start_proxy(command: str, hop: Hop) -> socket.socket:
    """The program ends when its input does, which is when the connection is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            subprocess.Popen(
                shlex.split(command),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            ours.close()
            raise SshError(UNREACHABLE, f"{hop.host}: proxy_command can not be started: {error}") from None
    return ours


def _dial(hop: Hop, settings: Settings) -> socket.socket:
    try:
        connection = socket.create_connection((hop.host, hop.port), settings.timeout)
    except socket.timeout:
        raise SshError(
            UNREACHABLE, f"{hop.host} port {hop.port} did not answer within {settings.timeout:g} s (timeout)"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise SshError(UNREACHABLE, f"{hop.host} port {hop.port} can not be reached: {reason}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # paramiko asks for no answer to its keep-alive messages. The kernel knows whether they arrived.
    if settings.keepalive and hasattr(socket, "TCP_USER_TIMEOUT"):
        patience = min(settings.keepalive * UNANSWERED_KEEPALIVES * 1000, MOST_MILLISECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    return connection


def _negotiate(transport: paramiko.Transport, hop: Hop, lines: list[Line], settings: Settings) -> None:
    transport.banner_timeout = transport.auth_timeout = settings.banner_timeout
    transport.handshake_timeout = settings.banner_timeout
    options = transport.get_security_options()
    options.key_types = preferred(tuple(options.key_types), known_types(lines, hop.host, hop.port))
    try:
        transport.start_client(timeout=settings.banner_timeout)
        transport.get_remote_server_key()
    except library.LOST as error:
        reason = f": {error}" if str(error) else ""
        raise SshError(
            UNREACHABLE, f"{hop.host} port {hop.port} was reached, but did not agree on an SSH connection{reason}"
        ) from None


def preferred(offered: t.Sequence[str], known: t.Sequence[str]) -> tuple[str, ...]:
    """Ask first for the keys that are known, or a host with several would show one that is not."""
    first = [name for key_type in known for name in SIGNATURES.get(key_type, (key_type,)) if name in offered]
    return tuple(dict.fromkeys((*first, *offered)))


def read_known_hosts(files: t.Iterable[str]) -> list[Line]:
    lines: list[Line] = []
    for path in files:
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            # Not to be passed over: it may list the key that this host should have.
            raise SshError(
                FAILED, f"known_hosts: {path} can not be read: {error.strerror}; give access or take it off the list"
            ) from None
        lines += parse(text, path)
    return lines


def _admit(transport: paramiko.Transport, hop: Hop, lines: list[Line], policy: Policy) -> None:
    key = transport.get_remote_server_key()
    shown = HostKey(key.get_name(), key.asbytes())
    judgement = judge(lines, hop.host, hop.port, shown)
    refusal = policy.refusal(judgement, hop.host, hop.port, shown)
    if refusal:
        raise SshError(UNREACHABLE, refusal)
    if judgement.verdict == Verdict.UNKNOWN and policy.record:
        record(policy, hop, shown)


def record(policy: Policy, hop: Hop, key: HostKey) -> None:
    """Add a key to the first of the files, unless another process just did."""
    if not policy.files:
        raise SshError(FAILED, "record_host_keys has no file to write to: known_hosts is an empty list; name one")
    path = Path(policy.files[0])
    line = f"{name_of(hop.host, hop.port)} {key}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            if line.strip() not in text.splitlines():
                file.write(line if not text or text.endswith("\n") else f"\n{line}")
    except OSError as error:
        raise SshError(
            FAILED,
            f"the host key of {hop.host} can not be recorded in {path}: {error.strerror}; "
            "make it writable or set record_host_keys to false",
        ) from None


@dataclass(frozen=True)
class Attempt:
    """Something to prove with, by the first of its methods that the host takes."""

    name: str
    methods: tuple[str, ...]
    run: t.Callable[[str], list[str]]  # by this method; returns the methods that are still wanted

    def method(self, allowed: list[str]) -> str | None:
        return next((method for method in self.methods if method in allowed), None)


def _enter(transport: paramiko.Transport, hop: Hop, credentials: Credentials) -> None:
    """Try what there is, in order, as far as the host allows it; some want several proofs one after the other."""
    questions: list[str] = []
    pending = _attempts(transport, hop.user, credentials, questions)
    tried: list[str] = []
    allowed = _allowed(transport, hop)
    while allowed:
        attempt = next((attempt for attempt in pending if attempt.method(allowed)), None)
        if attempt is None or not transport.is_active():
            raise SshError(SIGN_IN, _refused(transport, hop, credentials, allowed, tried, questions))
        pending.remove(attempt)
        tried.append(attempt.name)
        started = time.monotonic()
        try:
            allowed = attempt.run(attempt.method(allowed) or "")
        except paramiko.BadAuthenticationType as error:
            allowed = list(error.allowed_types)
        except paramiko.AuthenticationException:
            # Also where no answer came: one that comes later would be taken for that to the next attempt.
            if transport.is_active() and time.monotonic() - started >= transport.auth_timeout:
                raise SshError(
                    UNREACHABLE,
                    f"{hop} did not answer within {transport.auth_timeout:g} s (banner_timeout) whether it takes "
                    f"{attempt.name}",
                ) from None
        except library.LOST as error:
            raise SshError(UNREACHABLE, f"{hop}: the connection was lost while signing in: {error}") from None


def _allowed(transport: paramiko.Transport, hop: Hop) -> list[str]:
    try:
        return list(transport.auth_none(hop.user))
    except paramiko.BadAuthenticationType as error:
        return list(error.allowed_types)
    except library.LOST as error:
        raise SshError(UNREACHABLE, f"{hop}: the connection was lost while signing in: {error}") from None


def _attempts(
    transport: paramiko.Transport, user: str, credentials: Credentials, questions: list[str]
) -> list[Attempt]:
    keys = private_keys.given(credentials)
    if credentials.use_agent:
        keys += private_keys.from_agent()
    if credentials.look_for_keys:
        keys += private_keys.default()
    attempts = [
        Attempt(name, ("publickey",), lambda dummy, key=key: transport.auth_publickey(user, key))  # type: ignore[misc]
        for name, key in _different(keys)
    ]
    if credentials.password:
        answer = _answerer(credentials.password, questions)

        def prove(method: str) -> list[str]:
            if method == "password":
                return transport.auth_password(user, credentials.password, fallback=False)
            return transport.auth_interactive(user, answer)

        # One of both: a wrong password counts twice otherwise, and hosts lock users out.
        attempts.append(Attempt("password", ("password", "keyboard-interactive"), prove))
    return attempts


def _different(keys: list[tuple[str, paramiko.PKey]]) -> list[tuple[str, paramiko.PKey]]:
    """Each key once: one that lies in a file and in the agent would use up two of the tries that the host grants."""
    seen: dict[bytes, tuple[str, paramiko.PKey]] = {}
    for name, key in keys:
        seen.setdefault(key.public_blob.key_blob if key.public_blob else key.asbytes(), (name, key))
    return list(seen.values())


def _answerer(password: str, questions: list[str]) -> t.Callable[..., list[str]]:
    """Answers a single hidden question with the password. Others are no question for a password; they are kept."""
    given: list[str] = []

    def answer(_title: str, _instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        answers = []
        for prompt, is_shown in prompts:
            if is_shown or given:
                questions.append(prompt.strip())
                answers.append("")
            else:
                given.append(prompt)
                answers.append(password)
        return answers

    return answer


def _refused(
    transport: paramiko.Transport,
    hop: Hop,
    credentials: Credentials,
    allowed: list[str],
    tried: list[str],
    questions: list[str],
) -> str:
    text = f"{hop} let nobody in. Tried: {', '.join(tried) or 'nothing'}. The host takes: {', '.join(allowed)}."
    if not transport.is_active():
        text += " It ended the connection: name the one key with private_key_file and set use_agent and look_for_keys "
        return text + "to false, or raise its MaxAuthTries"
    if questions:
        return f"{text} It asked {questions[0]!r}, which no option answers"
    if private_keys.needs_passphrase(credentials):
        return f"{text} The private key is encrypted: set private_key_passphrase, or add the key to an agent"
    if not tried:
        return f"{text} Set private_key_file or password, or start an agent"
    return f"{text} Correct remote_user, private_key_file or password"
