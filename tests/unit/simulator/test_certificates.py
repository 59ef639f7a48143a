# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate's life: upload, read, rename, delete; and free ones."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from datetime import datetime, timedelta, timezone
from typing import Any

import ovh.exceptions
import pytest

from simulator.pki import Authority, Issued, self_signed
from simulator.state import GIVEN_CERTIFICATE
from tools.waiting import eventually

from .conftest import Service

AUTHORITY = Authority()
refused = pytest.raises(ovh.exceptions.BadParametersError)
conflict = pytest.raises(ovh.exceptions.ResourceConflictError)


def upload(service: Service, issued: Issued, **body: Any) -> dict[str, Any]:
    material = {"certificate": issued.certificate, "key": issued.key, "chain": issued.chain or None}
    return dict(service.post("ssl", **{**material, **body}))


def own(service: Service) -> list[int]:
    return [id_ for id_ in service.get("ssl") if id_ != GIVEN_CERTIFICATE]


def test_upload_tells_what_is_in_the_certificate_and_never_the_key(service: Service) -> None:
    issued = AUTHORITY.issue("mail.example", "smtp.mail.example", days=30)
    shown = upload(service, issued, displayName="mail")
    assert set(shown) == {"displayName", "expireDate", "fingerprint", "id", "san", "serial", "subject", "type"}
    assert (shown["displayName"], shown["subject"], shown["type"]) == ("mail", "/CN=mail.example", "custom")
    assert sorted(shown["san"]) == ["mail.example", "smtp.mail.example"]
    left = datetime.fromisoformat(shown["expireDate"]) - datetime.now(timezone.utc)
    assert timedelta(days=29) < left < timedelta(days=31)
    assert {**service.get(f"ssl/{shown['id']}"), "san": None} == {**shown, "san": None}
    assert "key" not in service.simulator.admin("GET", "staged")["ssl"][0]


def test_serial_is_what_openssl_says(service: Service) -> None:
    issued = AUTHORITY.issue("mail.example")
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-serial"], input=issued.certificate, capture_output=True, text=True, check=True
    )
    assert int(told.stdout.strip().removeprefix("serial="), 16) == int(upload(service, issued)["serial"], 16)


@pytest.mark.parametrize("form", ["sha1", "sha256", "sha1_colons", "sha256_colons"])
def test_fingerprint_is_the_digest_of_the_certificate(service: Service, form: str) -> None:
    service.simulator.switch(certificate_fingerprint=form)
    issued = AUTHORITY.issue("mail.example")
    digest = hashlib.new(form.partition("_")[0], ssl.PEM_cert_to_DER_cert(issued.certificate))
    shown = upload(service, issued)["fingerprint"]
    assert shown == (digest.digest().hex(":").upper() if "colons" in form else digest.hexdigest())
    assert service.get("ssl", fingerprint=f"{shown[:12]}%") == own(service)


def test_fingerprint_of_a_form_that_nobody_knows(service: Service) -> None:
    service.simulator.switch(certificate_fingerprint="other")
    assert ":" not in (shown := upload(service, AUTHORITY.issue("mail.example"))["fingerprint"])
    assert not set(shown.lower()) <= set("0123456789abcdef")


MAIL, OTHER = AUTHORITY.issue("mail.example"), AUTHORITY.issue("other.example")
ENCRYPTED = "\n".join(
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret"],
        input=MAIL.key,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"certificate": None}, r"\[certificate\].*null"),
        ({"key": ""}, r"\[key\].*Missing"),
        ({"certificate": "mail"}, r"\[certificate\].*not a PEM"),
        ({"certificate": MAIL.key}, r"\[certificate\].*not a PEM"),
        ({"certificate": MAIL.certificate + MAIL.chain}, r"\[certificate\].*more than"),
        ({"key": "secret"}, r"\[key\].*not a PEM"),
        ({"key": OTHER.key}, r"\[key\].*does not belong"),
        ({"key": ENCRYPTED}, r"\[key\].*encrypted"),
        ({"chain": "chain"}, r"\[chain\].*not a PEM"),
        ({"chain": Authority().chain}, r"\[chain\].*does not lead on"),
        ({"chain": MAIL.chain + OTHER.certificate}, r"\[chain\].*does not lead on"),
        ({"fingerprint": "00"}, "fingerprint"),
    ],
)
def test_bad_material_is_refused_without_telling_the_key(service: Service, body: dict[str, Any], message: str) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match=message) as caught:
        upload(service, MAIL, **body)
    assert "PRIVATE" not in str(caught.value)
    assert own(service) == []


def test_what_signed_itself_needs_no_chain_and_a_whole_chain_is_welcome(service: Service) -> None:
    assert upload(service, self_signed("mail.example"))["id"]
    assert upload(service, MAIL, chain=MAIL.chain + AUTHORITY.root)["id"]


def test_certificate_bundle(service: Service) -> None:
    service.simulator.switch(certificate_bundle="accept")
    assert upload(service, MAIL, certificate=MAIL.certificate + MAIL.chain, chain=None)["subject"] == "/CN=mail.example"


def test_duplicate_certificate(service: Service) -> None:
    first = upload(service, MAIL)["id"]
    with pytest.raises(ovh.exceptions.ResourceConflictError, match=str(first)):
        upload(service, MAIL, displayName="again")
    service.simulator.switch(duplicate_certificate="accept")
    assert upload(service, MAIL)["id"] != first


def test_the_name_alone_can_change(service: Service) -> None:
    shown = upload(service, MAIL)
    service.put(f"ssl/{shown['id']}", **{**shown, "displayName": "webmail"})
    assert service.get(f"ssl/{shown['id']}")["displayName"] == "webmail"
    for body in ({"serial": "1"}, {"key": OTHER.key}, {"displayName": "x" * 256}):
        with refused:
            service.put(f"ssl/{shown['id']}", **body)


def test_delete_used_certificate(service: Service) -> None:
    id_ = upload(service, MAIL)["id"]
    frontend = service.frontend(ssl=True, defaultSslId=id_)
    with conflict:
        service.delete(f"ssl/{id_}")
    service.simulator.switch(delete_used_certificate="accept")
    service.delete(f"ssl/{id_}")
    assert service.get(f"tcp/frontend/{frontend}")["defaultSslId"] is None
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.get(f"ssl/{id_}")
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.frontend(ssl=True, defaultSslId=id_)


def test_tls_changes_count(service: Service) -> None:
    id_ = upload(service, MAIL)["id"]
    service.client.put(service.path, sslConfiguration="modern")
    assert service.pending() == {"gra": 2, "rbx": 2}
    service.client.put(service.path, displayName="mail", sslConfiguration="modern")
    assert service.pending() == {"gra": 2, "rbx": 2}
    service.simulator.reset(tls_changes_count="off")
    id_ = upload(service, MAIL)["id"]
    service.put(f"ssl/{id_}", displayName="mail")
    service.delete(f"ssl/{id_}")
    service.client.put(service.path, sslConfiguration="modern")
    assert service.pending() == {}


def test_list_filters(service: Service) -> None:
    soon = upload(service, AUTHORITY.issue("soon.example", days=5))
    late = upload(service, AUTHORITY.issue("late.example", days=90))
    in_a_month = (datetime.now(timezone.utc) + timedelta(days=30)).isoformat()
    assert service.get("ssl", expireDate=in_a_month) == [soon["id"]]
    assert service.get("ssl", serial=late["serial"]) == [late["id"]]
    assert service.get("ssl", type="built") == []
    with refused:
        service.get("ssl", expireDate="soon")


# Free certificates


def test_free_certificate_comes_with_its_task(service: Service) -> None:
    task = service.post("freeCertificate", fqdn=["mail.example", "smtp.mail.example"])
    assert (task["action"], task["status"], task["zones"]) == ("orderFreeCertificate", "todo", [])
    assert own(service) == []
    assert service.finished(task["id"])["status"] == "done"
    (id_,) = service.get("ssl", type="built")
    shown = service.get(f"ssl/{id_}")
    assert (shown["subject"], len(shown["san"])) == ("/CN=mail.example", 2)


def test_a_refresh_does_not_wait_for_a_free_certificate(service: Service) -> None:
    service.simulator.switch(task_seconds=3000)
    service.post("freeCertificate", fqdn=["mail.example"])
    service.frontend(defaultFarmId=service.farm())
    assert service.refresh()["status"] == "done"


def test_free_certificate_whose_task_fails(service: Service) -> None:
    service.simulator.switch(task_outcome="error")
    task = service.post("freeCertificate", fqdn=["mail.example"])
    assert service.finished(task["id"])["status"] == "error"
    assert own(service) == []


def test_delete_built_certificate(service: Service) -> None:
    service.post("freeCertificate", fqdn=["mail.example"])
    (id_,) = eventually(lambda: service.get("ssl", type="built"))
    with refused:
        service.delete(f"ssl/{id_}")
    service.simulator.switch(delete_built_certificate="accept")
    service.delete(f"ssl/{id_}")
    assert own(service) == []


@pytest.mark.parametrize("fqdn", [None, [], "mail.example", ["mail"], ["-mail.example"], ["*.mail.example"], [5]])
def test_refused_names_of_free_certificates(service: Service, fqdn: Any) -> None:
    with refused:
        service.post("freeCertificate", fqdn=fqdn)
