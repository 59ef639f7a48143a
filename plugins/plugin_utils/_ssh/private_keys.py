# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys to sign in with: from text, files and an agent. Private to the collection."""

from __future__ import annotations

import contextlib
import io
import os
import typing as t
from pathlib import Path

from .errors import FAILED, SshError
from .settings import Credentials

with contextlib.suppress(ImportError):
    import paramiko
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
CERTIFICATE = "-cert.pub"


class Encrypted(Exception):
    """A key that a passphrase protects which nobody gave."""


def load(data: bytes, passphrase: str) -> paramiko.PKey:
    """A private key in any of the formats that ssh-keygen and openssl write.

    :raises Encrypted: if the passphrase is missing.
    :raises ValueError: if it is wrong, or if this is no key.
    """
    key = _decode(data, passphrase.encode() if passphrase else None)
    for kind, name in (
        (ed25519.Ed25519PrivateKey, "Ed25519Key"),
        (ec.EllipticCurvePrivateKey, "ECDSAKey"),
        (rsa.RSAPrivateKey, "RSAKey"),
    ):
        if isinstance(key, kind):
            # paramiko does not read every format, but this one it does.
            text = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            ).decode()
            return getattr(paramiko, name).from_private_key(io.StringIO(text))
    raise ValueError("its type is not supported; use Ed25519, ECDSA or RSA")


def _decode(data: bytes, passphrase: bytes | None) -> t.Any:
    for loader in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            return loader(data, passphrase)
        except TypeError:
            # One of both: a passphrase for a key that has none, or none for one that has.
            if passphrase is None:
                raise Encrypted from None
            return loader(data, None)
        except ValueError:
            continue
        except UnsupportedAlgorithm:
            raise ValueError("its type or its cipher is not supported") from None
    reason = "it is no private key" if passphrase is None else "it is no private key, or has another passphrase"
    raise ValueError(reason)


def given(credentials: Credentials) -> list[tuple[str, paramiko.PKey]]:
    """The keys that options name, with what to call each. Where one is unusable, that is an error, unless it needs a
    passphrase: an agent may hold it."""
    keys = []
    if credentials.key_text:
        keys += _given("private_key", credentials.key_text.strip().encode() + b"\n", credentials.passphrase)
    if credentials.key_file:
        path = Path(credentials.key_file)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SshError(FAILED, f"private_key_file {path} can not be read: {error.strerror}") from None
        keys += _given(f"private_key_file {path}", data, credentials.passphrase, path)
    return keys


def _given(name: str, data: bytes, passphrase: str, path: Path | None = None) -> list[tuple[str, paramiko.PKey]]:
    try:
        key = load(data, passphrase)
    except Encrypted:
        return []
    except (ValueError, paramiko.SSHException) as error:
        remedy = "correct private_key_passphrase or name another key" if passphrase else "name another key"
        raise SshError(FAILED, f"{name} can not be used: {error}; {remedy}") from None
    return [*_certified(name, data, passphrase, path), (name, key)]


def _certified(name: str, data: bytes, passphrase: str, path: Path | None) -> list[tuple[str, paramiko.PKey]]:
    """The key with the certificate that lies beside it, if one does."""
    if path is None or not (certificate := path.with_name(path.name + CERTIFICATE)).exists():
        return []
    key = load(data, passphrase)
    try:
        key.load_certificate(str(certificate))
    except (OSError, ValueError, paramiko.SSHException) as error:
        raise SshError(FAILED, f"{certificate} is no certificate of {name}: {error}; correct or remove it") from None
    return [(f"{certificate}", key)]


def needs_passphrase(credentials: Credentials) -> bool:
    """Whether the key that was named is of no use, because nobody gave its passphrase."""
    return bool((credentials.key_file or credentials.key_text) and not given(credentials))


def from_agent() -> list[tuple[str, paramiko.PKey]]:
    if not os.environ.get("SSH_AUTH_SOCK"):
        return []
    try:
        found = paramiko.Agent().get_keys()
    except (OSError, EOFError, paramiko.SSHException):
        return []
    for key in found:
        # What to show is what the agent lists. paramiko shows the key in a certificate of an RSA key instead.
        key.public_blob = paramiko.pkey.PublicBlob(key.get_name(), key.blob)  # type: ignore[assignment]
    return [(f"the agent's {key.get_name()} key {key.comment}".rstrip(), key) for key in found]


def default() -> list[tuple[str, paramiko.PKey]]:
    """The keys that ssh would look for. Those that can not be used are passed over: nobody asked for them."""
    keys: list[tuple[str, paramiko.PKey]] = []
    for path in (Path(os.path.expanduser("~/.ssh"), name) for name in DEFAULT_NAMES):
        try:
            keys += _given(str(path), path.read_bytes(), "", path)
        except (OSError, SshError):
            continue
    return keys
