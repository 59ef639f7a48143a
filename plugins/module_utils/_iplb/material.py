# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a certificate says of itself: fingerprints, names, and until when it is good. Private to the collection.

The key is only held against the certificate; nothing here shows it, and no text of a foreign exception either.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import traceback
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.checks import CERTIFICATE_BEGINS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    CRYPTOGRAPHY_IMPORT_ERROR = None
except ImportError:
    CRYPTOGRAPHY_IMPORT_ERROR = traceback.format_exc()

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Material:
    """``fingerprints`` are lower-case hexadecimal digests of the certificate, by SHA-1 and SHA-256."""

    fingerprints: frozenset[str]
    names: frozenset[str]
    expires: datetime


def read_material(certificate: str, where: str) -> Material:
    """:raises InvalidInput: for a text that is no certificate in PEM form."""
    block = _BLOCK.search(certificate)
    if not block:
        raise InvalidInput(f"{where}: certificate is not in PEM form; it begins with {CERTIFICATE_BEGINS}")
    if CRYPTOGRAPHY_IMPORT_ERROR:
        raise InvalidInput(f"{where}: the Python library cryptography is missing, which reads certificates")
    try:
        der = ssl.PEM_cert_to_DER_cert(block[0])
        parsed = x509.load_der_x509_certificate(der)
        names, expires = frozenset(_names(parsed)), _expiry(parsed)
    except (ValueError, x509.DuplicateExtension):
        raise InvalidInput(f"{where}: certificate can not be read; check that the whole PEM text is there") from None
    return Material(
        frozenset({hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest()}),  # noqa: S324 - the API's choice
        names,
        expires,
    )


def check_key(certificate: str, key: str, where: str) -> None:
    """:raises InvalidInput: when one of them can not be read, or the key is not that of the certificate."""
    read_material(certificate, where)
    block = _BLOCK.search(certificate)
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
        public = x509.load_pem_x509_certificate(block[0].encode()).public_key() if block else None
    except (ValueError, TypeError):
        raise InvalidInput(f"{where}: key can not be read; give an unencrypted private key in PEM form") from None
    except UnsupportedAlgorithm:
        raise InvalidInput(f"{where}: key is of a kind that can not be read here; use RSA, or EC on P-256") from None
    if public is None or _spki(public) != _spki(private.public_key()):
        raise InvalidInput(f"{where}: key is not the one of this certificate")


def _spki(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _names(parsed: x509.Certificate) -> list[str]:
    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        common = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return [str(attribute.value).lower() for attribute in common]


def _expiry(parsed: x509.Certificate) -> datetime:
    if hasattr(parsed, "not_valid_after_utc"):
        return parsed.not_valid_after_utc
    return parsed.not_valid_after.replace(tzinfo=timezone.utc)  # cryptography before 42


def fingerprint_of(text: str | None) -> str | None:
    """A fingerprint as the API may write it, as bare lower-case hexadecimal digits; None in an unknown form."""
    digits = re.sub(r"^sha-?(1|256)[:=]", "", (text or "").strip().lower()).replace(":", "").replace(" ", "")
    return digits if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", digits) else None
