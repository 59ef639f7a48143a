# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes certificates: those that the simulator hands out, and material for tests of whatever takes certificates."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAYS = 3650


@dataclass(frozen=True)
class Issued:
    """PEM texts. ``chain`` is empty for what signed itself."""

    certificate: str
    key: str
    chain: str = ""


def self_signed(*names: str, days: float = DAYS) -> Issued:
    """Of these names, the first one as its common name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(names[0])
    certificate = _builder(subject, names, key, days).issuer_name(subject)
    return Issued(_pem(certificate.sign(key, hashes.SHA256())), _private(key))


class Authority:
    """A certificate authority with an intermediate: ``root`` is what clients trust."""

    def __init__(self, name: str = "Test Authority") -> None:
        self._root_name, self._name = _name(f"{name} Root"), _name(name)
        root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        root = _builder(self._root_name, (), root_key, DAYS).issuer_name(self._root_name)
        intermediate = _builder(self._name, (), self._key, DAYS).issuer_name(self._root_name)
        self.root = _pem(root.sign(root_key, hashes.SHA256()))
        self.chain = _pem(intermediate.sign(root_key, hashes.SHA256()))

    def issue(self, *names: str, days: float = 90) -> Issued:
        """``days`` until it expires; less than nothing for one that has."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _builder(_name(names[0]), names, key, days).issuer_name(self._name)
        return Issued(_pem(certificate.sign(self._key, hashes.SHA256())), _private(key), self.chain)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, names: tuple[str, ...], key: ec.EllipticCurvePrivateKey, days: float
) -> x509.CertificateBuilder:
    """Without names: that of an authority."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    expires = now + timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, expires) - timedelta(days=1))
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if not names:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
