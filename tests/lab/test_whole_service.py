# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a mail operator puts on one load balancer, with real clients: mail on port 25 behind a PROXY header,
submissions whose TLS the load balancer ends and begins again towards Postfix, a webmail, and who may come in.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator.pki import Authority

from .backend import apply, every, fresh_lab, prepare, received_from
from .conftest import CLIENTS, MEASURED, SMTP
from .driver import HERE, SERVICE_ADDRESS, Lab, Play, await_result
from .test_rollout import under_load
from .test_services import LOGIN, add_submissions, require

MAIL, WEBMAIL = "mail.example.test", "webmail.example.test"
UNLISTED, BANNED = "203.0.113.12", "203.0.113.13"
CONTROLLER = "192.0.2.2"  # which confirms that each service answers
RENEWALS = 3
SUBMISSIONS: dict[str, Any] = {
    "name": "submissions",
    "port": "465",
    "listener": "submissions/inet",
    "server_options": {"ssl": True},
    "frontend_options": {
        "ssl": True,
        "default_ssl": MAIL,
        "allowed_source": [f"{address}/32" for address in (*CLIENTS, CONTROLLER)],
    },
}
BY_ADDRESS = {"denied_source": [f"{BANNED}/32"]}
SERVICES: dict[str, Any] = {
    "postfix_backend_trusted_clients": [],
    "smtp_load_balancer_services": [
        {"name": "smtp", "port": "25", "listener": "smtp/inet", "frontend_options": BY_ADDRESS},
        SUBMISSIONS,
    ],
}

UPLOAD = """
- name: Upload certificates
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Upload a certificate, or renew it
      mailops.ovh_iplb.certificate:
        display_name: "{{ item.name }}"
        certificate: "{{ lookup('ansible.builtin.file', directory ~ '/' ~ item.file ~ '.pem') }}"
        chain: "{{ lookup('ansible.builtin.file', directory ~ '/chain.pem') }}"
        key_file: "{{ directory }}/{{ item.file }}.key"
        refresh: "{{ live }}"
        wait_timeout: 60
      loop: "{{ certificates }}"
      loop_control:
        label: "{{ item.name }}"
"""
WEB = """
- name: Webmail behind the load balancer
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Declare farms, frontends and a route
      mailops.ovh_iplb.load_balancer:
        farms: "{{ farms }}"
        frontends:
          - {display_name: web, protocol: http, zone: all, port: "80", redirect_location: "https://webmail.example.test/"}
          - display_name: webmail
            protocol: http
            zone: all
            port: "443"
            ssl: true
            default_ssl: webmail.example.test
            default_farm: webmail
            hsts: true
        routes:
          - protocol: http
            display_name: attachments
            frontend: webmail
            action: {type: farm, farm: attachments}
            rules:
              - {field: uri, match: startswith, pattern: /attachments/}
        wait_for_healthy: true
        wait_timeout: 60
"""
FARMS = {"webmail": 8080, "attachments": 8081}
# Each answers with the name of its farm, whatever it is asked for.
WEB_SERVER = """
mkdir -p /srv/{name}/attachments
echo {name} | tee /srv/{name}/index.html > /srv/{name}/attachments/one
systemd-run --unit {name} --working-directory /srv/{name} python3 -m http.server {port}
"""


@dataclass(frozen=True)
class Material:
    """Certificates as files of the controller."""

    directory: Path
    authority: Authority

    def issue(self, file: str, *names: str, days: float) -> str:
        issued = self.authority.issue(*names, days=days)
        (self.directory / f"{file}.pem").write_text(issued.certificate)
        (self.directory / f"{file}.key").write_text(issued.key)
        return file

    @property
    def root(self) -> Path:
        return self.directory / "root.pem"


@dataclass(frozen=True)
class Story:
    lab: Lab
    material: Material
    first: list[Play]  # certificates, web, mail
    second: list[Play]

    def upload(self, *certificates: tuple[str, str], live: bool) -> str:
        """A file with the variables of the playbook that uploads these files under these names."""
        wanted = [{"name": name, "file": file} for name, file in certificates]
        variables = {"certificates": wanted, "directory": str(self.material.directory), "live": live}
        return json.dumps(variables)

    def playbook(self, name: str) -> str:
        return str(self.material.directory / name)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with fresh_lab("whole") as lab:
        every(lab, prepare)
        every(lab, add_submissions)
        every(lab, serve_web)
        story = Story(lab, material(tmp_path_factory.mktemp("material")), [], [])
        names = {"mail": MAIL, "webmail": WEBMAIL}
        first = [(name, story.material.issue(file, name, days=30)) for file, name in names.items()]
        for plays in (story.first, story.second):
            # Nothing can be made live while there is no frontend.
            plays.append(lab.play(story.playbook("upload.yml"), "-e", story.upload(*first, live=False)))
            plays.append(lab.play(story.playbook("web.yml"), "-e", json.dumps({"farms": farms(lab)})))
            plays.append(apply(lab, SMTP, SERVICES))
        yield story


def material(directory: Path) -> Material:
    made = Material(directory, Authority())
    made.root.write_text(made.authority.root)
    (directory / "chain.pem").write_text(made.authority.chain)
    (directory / "upload.yml").write_text(UPLOAD)
    (directory / "web.yml").write_text(WEB)
    return made


def serve_web(lab: Lab, host: str) -> None:
    for name, port in FARMS.items():
        lab.shell(host, WEB_SERVER.format(name=name, port=port))


def farms(lab: Lab) -> list[dict[str, Any]]:
    servers = [{"address": lab.address(host), "status": "active", "probe": True} for host in lab.backends]
    probe = {"type": "http", "method": "GET", "url": "/", "interval": 30}
    common = {"protocol": "http", "zone": "all", "probe": probe, "servers": servers}
    return [{"display_name": name, "port": port, **common} for name, port in FARMS.items()]


def visit(story: Story, *targets: str, source: str = CLIENTS[0]) -> dict[str, Any]:
    """What a client sees of each target, see visits.py."""
    done = story.lab.run("client", sys.executable, HERE / "visits.py", *words(story, source), *targets)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def words(story: Story, source: str) -> tuple[str, ...]:
    return ("--host", SERVICE_ADDRESS, "--source", source, "--authority", str(story.material.root))


def serial(story: Story, file: str) -> str:
    found = story.lab.run("controller", "openssl", "x509", "-noout", "-serial", "-in", story.material.directory / file)
    return found.stdout.strip().partition("=")[2]


def test_the_first_run_converges_and_the_second_changes_nothing(story: Story) -> None:
    for play in story.first:
        require(play)
    for play in story.second:
        assert play.is_idle, play.output
    assert f"submissions, {SERVICE_ADDRESS} port 465: TLS handshake, EHLO" in story.second[-1].output


def test_mail_comes_with_its_senders_address(story: Story) -> None:
    assert f"[{CLIENTS[0]}]" in received_from(story.lab, CLIENTS[0], "in from a stranger")[1]


def test_a_user_submits_with_tls_that_ends_twice_and_the_address_is_known(story: Story) -> None:
    options = {"port": "465", "tls": "implicit", "login": LOGIN}
    host, received = received_from(story.lab, CLIENTS[1], "submitted by TLS", **options)
    assert f"[{CLIENTS[1]}]" in received
    # RFC 3848: a session with TLS and a login, so Postfix too got the password by TLS.
    assert "with ESMTPSA" in received
    assert "sasl_username=alice" in story.lab.shell(host, "grep 'postfix/submissions/smtpd' /var/log/mail.log")


def test_each_name_is_served_its_certificate_and_no_name_the_default_one(story: Story) -> None:
    mail, webmail = serial(story, "mail.pem"), serial(story, "webmail.pem")
    seen = visit(story, f"465:{MAIL}", f"465:{WEBMAIL}", "465:", f"443:{WEBMAIL}/", f"443:{MAIL}/", "443:/")
    assert not any(report["failures"] for report in seen.values()), seen
    assert [report["certificates"] for report in seen.values()] == [
        [serial] for serial in (mail, webmail, mail, webmail, mail, webmail)
    ]
    assert [report["answer"]["status"] for report in seen.values()] == [220] * 3 + [200] * 3


def test_the_web_is_led_to_https_and_a_path_to_its_own_farm(story: Story) -> None:
    plain, inbox, attachment = visit(
        story, f"80:{WEBMAIL}/inbox", f"443:{WEBMAIL}/", f"443:{WEBMAIL}/attachments/one"
    ).values()
    assert (plain["answer"]["status"], plain["answer"]["location"]) == (302, f"https://{WEBMAIL}/")
    assert (inbox["answer"]["status"], inbox["answer"]["body"]) == (200, "webmail")
    assert (attachment["answer"]["status"], attachment["answer"]["body"]) == (200, "attachments")


def test_each_frontend_lets_in_whom_it_may(story: Story) -> None:
    """An address that is not on the list of 465 sends mail all the same; a banned one has the webmail."""
    targets = ("25:", f"465:{MAIL}", f"443:{WEBMAIL}/")
    served = {
        source: [bool(report["answer"]) for report in visit(story, *targets, source=source).values()]
        for source in (CLIENTS[0], UNLISTED, BANNED)
    }
    assert served == {
        CLIENTS[0]: [True, True, True],
        UNLISTED: [True, False, True],
        BANNED: [False, False, True],
    }


def test_certificates_are_renewed_under_load_without_one_failed_handshake(
    story: Story, record_property: Callable[[str, object], None]
) -> None:
    """Clients verify name and chain in every handshake; meanwhile mail is sent in, and submitted."""
    lab, issue = story.lab, story.material.issue
    renewed = [
        (name, issue(f"{name}-{number}", name, days=60 + number))
        for number in range(RENEWALS)
        for name in (MAIL, WEBMAIL)
    ]
    targets = (f"465:{MAIL}", "465:", f"443:{WEBMAIL}/", f"443:{WEBMAIL}/attachments/one")
    visitors = lab.start(
        "client", sys.executable, HERE / "visits.py", *words(story, CLIENTS[0]), "--clients", "2", *targets
    )
    try:
        done = under_load(
            lab,
            "renewal",
            story.playbook("upload.yml"),
            *("-e", story.upload(*renewed, live=True)),
            services=("25", "465:implicit"),
            rate=20,
            messages=100,
            sources=CLIENTS,
        )
    finally:
        seen = json.loads(visitors.communicate()[0])
    visits = sum(report["visits"] for report in seen.values())
    record_property(MEASURED, f"{visits} verified handshakes during {len(renewed)} renewals; {done.summary()}")
    require(done.play)
    assert not any(report["failures"] for report in seen.values()), seen
    assert all(report["visits"] > 100 for report in seen.values()), seen
    for target, report in seen.items():
        name = WEBMAIL if target.startswith("443") else MAIL
        files = [name.partition(".")[0], *(file for owner, file in renewed if owner == name)]
        assert report["certificates"] == [serial(story, f"{file}.pem") for file in files], target
    assert not done.load["abnormal"], done.load["abnormal"][:10]
    assert done.delivered == Counter(done.load["accepted"]), done.summary()
    # The old ones are gone.
    left = [lab.api("GET", f"{{service}}/ssl/{number}")["displayName"] for number in lab.api("GET", "{service}/ssl")]
    assert (left.count(MAIL), left.count(WEBMAIL)) == (1, 1), left
    assert apply(lab, SMTP, SERVICES).is_idle


def test_passwords_do_not_travel_in_clear(story: Story) -> None:
    """TLS that would end before a listener that takes logins is refused, before Postfix is touched."""
    lab = story.lab
    in_clear = {**SUBMISSIONS, "server_options": {"ssl": False}}
    services = {**SERVICES, "smtp_load_balancer_services": [*SERVICES["smtp_load_balancer_services"][:1], in_clear]}
    before = lab.simulator("GET", "staged")
    for arguments in ((), ("--check",)):
        refused = apply(lab, SMTP, services, *arguments)
        assert refused.status != 0
        text = " ".join(refused.output.split())
        for host in lab.backends:
            assert f"tcp/all/submissions/{lab.address(host)}:465 behind frontend tcp/all/submissions" in text
        assert "passwords would travel in clear" in text
        assert not any(refused.changed.values()), refused.output
    assert lab.simulator("GET", "staged") == before
    answer = await_result(lambda: visit(story, f"465:{MAIL}")[f"465:{MAIL}"]["answer"])
    assert answer["status"] == 220
