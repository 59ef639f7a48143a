# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates and keys as PEM text: read and judged. Pure: knows nothing of the simulator."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)


class BadMaterial(Exception):
    """``field`` is the parameter that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Certificate:
    """What the API shows of a certificate."""

    subject: str  # /C=FR/CN=mail.example
    names: tuple[str, ...]  # DNS names and addresses of subjectAltName
    serial: str
    expires: datetime
    sha1: bytes
    sha256: bytes

    def fingerprint(self, form: str) -> str:
        """``form``: sha1, sha256, either with _colons, or something that a client can not know."""
        digest = {"sha1": self.sha1, "sha256": self.sha256}.get(form.partition("_")[0])
        if digest is None:
            return base64.b64encode(self.sha256).decode()
        return digest.hex(":").upper() if form.endswith("_colons") else digest.hex()


@functools.lru_cache
def read(pem: str) -> Certificate:
    """The first certificate of a PEM text. Raises BadMaterial."""
    found = load(pem, "certificate")[0]
    der = found.public_bytes(Encoding.DER)
    return Certificate(
        subject="".join(f"/{part.rfc4514_attribute_name}={part.value!s}" for part in found.subject),
        names=_names(found),
        serial=f"{found.serial_number:X}",
        expires=found.not_valid_after_utc,
        sha1=hashlib.sha1(der).digest(),
        sha256=hashlib.sha256(der).digest(),
    )


def load(pem: str, field: str) -> list[x509.Certificate]:
    """Every certificate of a PEM text, at least one. Raises BadMaterial."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise BadMaterial(field, "is not a PEM certificate") from error


def count(pem: str) -> int:
    return len(re.findall("-----BEGIN [A-Z ]+-----", pem))


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def fit(certificate: str, key: str, chain: str | None) -> None:
    """Raises BadMaterial unless the key belongs to the certificate, and the chain leads on from it."""
    own = load(certificate, "certificate")[0]
    if _public_key_of(key) != own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise BadMaterial("key", "does not belong to the certificate")
    issued = own
    for issuer in load(chain, "chain") if chain else ():
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise BadMaterial("chain", "does not lead on from the certificate") from error
        issued = issuer


def _public_key_of(key: str) -> bytes:
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except TypeError as error:
        raise BadMaterial("key", "is encrypted") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadMaterial("key", "is not a PEM private key") from error
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
