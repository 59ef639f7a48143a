# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real TLS: uploaded certificates, names, versions, and TLS towards the backends."""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from simulator.launcher import Running
from simulator.pki import Authority, Issued
from tools.waiting import eventually

from .conftest import Service
from .test_certificates import upload
from .test_haproxy import PORT, backend
from .test_haproxy_http import live, rule, site, to, web_farm
from .traffic import CLIENT, GRA, OFFSET, WEB, Browser, serving, trusting, web

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]


@pytest.fixture
def simulator(balanced: Running) -> Running:
    balanced.reset()
    return balanced


AUTHORITY = Authority()
TRUST = trusting(AUTHORITY.root)
MAIL = AUTHORITY.issue("mail.example", "smtp.mail.example")
OTHER = AUTHORITY.issue("other.example", "*.wild.example")


def certificate_of(port: int = 465, name: str = "mail.example", context: ssl.SSLContext = TRUST) -> str:
    """PEM of the certificate that is presented."""
    with (
        socket.create_connection((GRA, port + OFFSET), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        presented = connection.getpeercert(binary_form=True)
        assert presented
        return ssl.DER_cert_to_PEM_cert(presented)


def same(presented: str, issued: Issued) -> bool:
    return ssl.PEM_cert_to_DER_cert(presented) == ssl.PEM_cert_to_DER_cert(issued.certificate)


def submission(service: Service, address: str, **body: Any) -> int:
    """TLS ends at the balancer on 465."""
    farm = service.farm(port=PORT)
    service.server(farm, address=address, proxyProtocolVersion="v1")
    return service.frontend(port="465", ssl=True, defaultFarmId=farm, **body)


def test_smtp_over_tls_reaches_the_backend_with_the_client_address(service: Service) -> None:
    with backend(1) as one:
        id_ = upload(service, MAIL)["id"]
        submission(service, one.address, defaultSslId=id_)
        live(service)
        with smtplib.SMTP_SSL(
            GRA, 465 + OFFSET, "client.example", timeout=10, source_address=(CLIENT, 0), context=insecure()
        ) as smtp:
            assert smtp.noop()[0] == 250
        assert one.proxied == [CLIENT]
        assert same(certificate_of(), MAIL)


def insecure() -> ssl.SSLContext:
    """smtplib verifies the name of the address it connects to."""
    context = trusting(AUTHORITY.root)
    context.check_hostname = False
    return context


def test_every_certificate_is_offered_on_every_frontend(service: Service) -> None:
    with backend(1) as one:
        mail = upload(service, MAIL)["id"]
        other = upload(service, OTHER)["id"]
        frontend = submission(service, one.address, defaultSslId=mail)
        live(service)
        assert same(certificate_of(name="smtp.mail.example"), MAIL)
        assert same(certificate_of(name="other.example"), OTHER)
        assert same(certificate_of(name="a.wild.example"), OTHER)
        # A name that nobody has gets the default one.
        assert same(certificate_of(name="strange.example", context=blind()), MAIL)
        service.put(f"tcp/frontend/{frontend}", defaultSslId=other)
        live(service)
        assert same(certificate_of(name="strange.example", context=blind()), OTHER)


def blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_renewal_under_load_fails_no_handshake(service: Service) -> None:
    with backend(1) as one:
        old = upload(service, MAIL)["id"]
        frontend = submission(service, one.address, defaultSslId=old)
        live(service)
        renewed = AUTHORITY.issue("mail.example", "smtp.mail.example", days=180)
        failures: list[BaseException] = []
        seen: list[str] = []
        over = threading.Event()

        def clients() -> None:
            while not over.is_set():
                try:
                    seen.append(certificate_of())
                except OSError as error:
                    failures.append(error)

        threads = [threading.Thread(target=clients) for dummy in range(2)]
        for thread in threads:
            thread.start()
        try:
            new = upload(service, renewed)["id"]
            service.put(f"tcp/frontend/{frontend}", defaultSslId=new)
            live(service)
            assert same(certificate_of(), renewed), "the default one goes first where two have a name"
            service.delete(f"ssl/{old}")
            live(service)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert same(seen[0], MAIL)
        assert same(certificate_of(), renewed)
        assert {same(one, MAIL) or same(one, renewed) for one in seen} == {True}


def test_nothing_is_presented_before_the_refresh(service: Service) -> None:
    with backend(1) as one:
        submission(service, one.address, defaultSslId=upload(service, MAIL)["id"])
        live(service)
        upload(service, OTHER)
        assert same(certificate_of(name="other.example", context=blind()), MAIL)


@pytest.mark.parametrize(
    ("configuration", "oldest", "works"),
    [
        (None, ssl.TLSVersion.TLSv1_2, True),
        ("intermediate", ssl.TLSVersion.TLSv1_2, True),
        ("modern", ssl.TLSVersion.TLSv1_2, False),
        ("modern", ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_ssl_configuration(service: Service, configuration: str | None, oldest: ssl.TLSVersion, works: bool) -> None:
    with backend(1) as one:
        submission(service, one.address, defaultSslId=upload(service, MAIL)["id"])
        service.client.put(service.path, sslConfiguration=configuration)
        live(service)
        context = trusting(AUTHORITY.root)
        context.minimum_version = context.maximum_version = oldest
        if works:
            assert same(certificate_of(context=context), MAIL)
        else:
            with pytest.raises(ssl.SSLError):
                certificate_of(context=context)


def test_a_webmail_with_https_and_a_redirection_to_it(service: Service) -> None:
    with web(1) as one, web(2) as two:
        id_ = upload(service, MAIL)["id"]
        frontend = service.frontend(
            "http",
            port="443",
            ssl=True,
            hsts=True,
            defaultSslId=id_,
            defaultFarmId=web_farm(service, one),
            httpHeader=["X-Ip-Header %ci"],
        )
        path = service.post("http/route", frontendId=frontend, action=to(web_farm(service, two)))["routeId"]
        service.post(f"http/route/{path}/rule", **rule("uri", "startswith", "/webmail"))
        redirect = {"type": "redirect", "target": "https://${domain}${uri}", "status": 301}
        plain = site(service, one)
        first = service.post("http/route", frontendId=plain, action=redirect)["routeId"]
        service.post(f"http/route/{first}/rule", **rule("protocol", "is", "http"))
        live(service)
        answer = Browser().get("/webmail/inbox", port=443, tls=TRUST)
        assert (answer.server, answer.seen["headers"]["x-ip-header"]) == ("web2", CLIENT)
        assert "max-age" in answer.headers["strict-transport-security"]
        assert Browser().get("/", port=443, tls=TRUST).server == "web1"
        moved = Browser().get("/webmail/?a=b")
        assert (moved.status, moved.headers["location"]) == (301, "https://mail.example/webmail/?a=b")


@pytest.mark.parametrize("terminated", [True, False])
def test_tcp_routes_by_the_name_that_the_client_asks_for(service: Service, tmp_path: Path, terminated: bool) -> None:
    """With TLS ended at the balancer, and with TLS passed on as it is."""
    context = None if terminated else serving(tmp_path, MAIL.certificate + MAIL.chain, MAIL.key)
    with web(1, context) as one, web(2, context) as two:
        default, named = service.farm(port=WEB), service.farm(port=WEB)
        service.server(default, address=one.address)
        service.server(named, address=two.address)
        id_ = upload(service, MAIL)["id"]
        tls = {"ssl": True, "defaultSslId": id_} if terminated else {}
        frontend = service.frontend(port="443", defaultFarmId=default, **tls)
        route = service.post("tcp/route", frontendId=frontend, action=to(named))["routeId"]
        service.post(f"tcp/route/{route}/rule", field="sni", match="is", pattern="SMTP.mail.example")
        reject = service.post("tcp/route", frontendId=frontend, action={"type": "reject"})["routeId"]
        service.post(f"tcp/route/{reject}/rule", field="host", match="startswith", pattern="bad.")
        live(service)
        assert Browser().get(port=443, host="mail.example", tls=TRUST).server == "web1"
        assert Browser().get(port=443, host="smtp.mail.example", tls=TRUST).server == "web2"
        with pytest.raises(OSError):  # noqa: PT011 - reset or closed, as it happens
            Browser().get(port=443, host="bad.example", tls=blind())


def test_tcp_routes_by_protocol(service: Service) -> None:
    with web(1) as one, web(2) as two:
        default, spoken = service.farm(port=WEB), service.farm(port=WEB)
        service.server(default, address=one.address)
        service.server(spoken, address=two.address)
        frontend = service.frontend(port="80", defaultFarmId=default)
        route = service.post("tcp/route", frontendId=frontend, action=to(spoken))["routeId"]
        service.post(f"tcp/route/{route}/rule", field="protocol", match="in", pattern="http,tls")
        live(service)
        assert Browser().get().server == "web2"


# TLS towards the servers


def test_servers_with_tls_and_their_own_authority(service: Service, tmp_path: Path) -> None:
    context = serving(tmp_path, MAIL.certificate + MAIL.chain, MAIL.key)
    with web(1, context) as one:
        farm = service.farm("http", port=WEB)
        server = service.server(farm, "http", address=one.address, ssl=True)
        service.frontend("http", port="80", defaultFarmId=farm)
        live(service)
        assert Browser().get().server == "web1"
        service.put(server, chain=AUTHORITY.root)
        live(service)
        assert Browser().get().server == "web1"
        service.put(server, chain=Authority("Stranger").root)
        live(service)
        assert Browser().get().status == 503


def test_a_probe_speaks_tls_where_the_server_does(service: Service, tmp_path: Path) -> None:
    context = serving(tmp_path, MAIL.certificate + MAIL.chain, MAIL.key)
    with web(1, context) as one:
        farm = service.farm("http", port=WEB, probe={"type": "http", "match": "status", "pattern": "200"})
        server = service.server(farm, "http", address=one.address, ssl=True, probe=True)
        service.frontend("http", port="80", defaultFarmId=farm)
        live(service)
        up = eventually(lambda: (found := service.get(server)["serverState"][0])["checkTime"] and found)
        assert (up["status"], up["checkStatus"]) == ("UP", "L7OK")
