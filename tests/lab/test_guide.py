# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide, end to end: what an operator must be able to rely on after ``playbooks/smtp.yml``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .backend import Order, converse
from .conftest import CLIENTS, SMTP, Story, received
from .driver import PROJECT, SERVICE_ADDRESS, Lab, await_result


def test_before_the_role_the_backend_takes_the_balancer_for_the_client(lab: Lab, story: Story) -> None:
    assert any(f"[{source}]" in story.received_before for source in lab.status["source_addresses"].values())
    assert CLIENTS[0] not in story.received_before


def test_the_first_run_succeeds(story: Story) -> None:
    assert story.first.status == 0, story.first.output
    assert any(story.first.changed.values())


@pytest.mark.parametrize("client", CLIENTS)
def test_after_the_role_the_backend_knows_the_client(client: str, story: Story) -> None:
    assert f"[{client}]" in story.received_after[client]


def test_the_second_run_changes_nothing(story: Story) -> None:
    assert story.second.status == 0, story.second.output
    assert story.second.is_idle, story.second.output


def test_the_log_names_the_client(converged: Lab) -> None:
    logs = "".join(converged.shell(host, "cat /var/log/mail.log") for host in converged.backends)
    assert f"connect from unknown[{CLIENTS[1]}]" in logs


def test_the_guides_line_is_in_main_cf_and_effective_on_port_25_only(converged: Lab) -> None:
    for host in converged.backends:
        assert (
            "smtp_upstream_proxy_protocol = haproxy" in converged.shell(host, "cat /etc/postfix/main.cf").splitlines()
        )
        assert converged.run(host, "postconf", "-n").stderr == ""
        effective = converged.shell(host, "postconf -hPx smtp/inet/smtpd_upstream_proxy_protocol")
        assert effective.strip() == "haproxy"
        assert converged.shell(host, "postconf -hx smtpd_upstream_proxy_protocol").strip() == ""


def test_submission_needs_no_header(converged: Lab) -> None:
    host = converged.backends[0]
    answer = converged.send(CLIENTS[0], "submitted", converged.address(host), port="587", login="alice:alice-password")
    assert answer["accepted"], answer["reply"]
    dummy, message = await_result(lambda: converged.find("submitted"))
    assert f"[{CLIENTS[0]}]" in str(message["Received"])


FORGED = {
    "v1": r"PROXY TCP4 127.0.0.1 127.0.0.1 1234 25\r\n",
    "v2": r"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x04\xd2\x00\x19",
    "v2 LOCAL": r"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00",
}


@pytest.mark.parametrize("header", FORGED)
def test_a_forged_header_does_not_relay(header: str, converged: Lab) -> None:
    """Whoever reaches the port can claim to be the machine itself; it must get no more rights than a stranger."""
    said = say(
        converged,
        FORGED[header],
        r"EHLO x\r\n",
        r"MAIL FROM:<a@evil.example>\r\n",
        r"RCPT TO:<b@elsewhere.example>\r\n",
    )
    assert said[0].startswith("220"), said
    assert said[-1][:3] in ("554", "454"), said


def test_no_header_is_refused_for_now_not_for_good(converged: Lab) -> None:
    assert say(converged, r"EHLO x\r\n")[0].startswith("421")


def test_nobody_else_reaches_the_port(converged: Lab) -> None:
    assert say(converged, FORGED["v1"], place="client") == ["(ConnectionRefusedError)"]


def say(lab: Lab, *words: str, place: str = "balancer") -> list[str]:
    """Speak to a backend, from where the firewall admits everybody or from elsewhere; its answers."""
    sources = {"balancer": lab.status["source_addresses"]["gra"], "client": CLIENTS[0]}
    return converse(lab, place, [Order(sources[place], lab.address(lab.backends[0]), words)])[0]


def test_drift_is_shown_and_corrected(converged: Lab) -> None:
    farm = converged.api("GET", "{service}/tcp/farm")[0]
    server = converged.api("GET", f"{{service}}/tcp/farm/{farm}/server")[0]
    converged.api("PUT", f"{{service}}/tcp/farm/{farm}/server/{server}", {"weight": 7})
    converged.run(converged.backends[0], "postconf", "-PX", "smtp/inet/smtpd_upstream_proxy_protocol")

    shown = converged.play(SMTP, "--check", "--diff")
    assert shown.status == 0, shown.output
    assert '"weight": 7' in shown.output
    assert "smtpd_upstream_proxy_protocol" in shown.output
    assert converged.api("GET", f"{{service}}/tcp/farm/{farm}/server/{server}")["weight"] == 7

    corrected = converged.play(SMTP)
    assert corrected.status == 0, corrected.output
    assert converged.api("GET", f"{{service}}/tcp/farm/{farm}/server/{server}")["weight"] in (1, None)
    again = converged.play(SMTP)
    assert again.is_idle, again.output
    assert f"[{CLIENTS[0]}]" in received(converged, CLIENTS[0], "after the drift")


def test_the_playbook_runs_by_full_name_from_an_installed_collection(converged: Lab, tmp_path: Path) -> None:
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    subprocess.run(
        [sys.executable, "-m", "tools.build"], cwd=PROJECT, env={**os.environ, "PYTHONPATH": "tests"}, check=True
    )
    artifact = max((PROJECT / "build").glob("mailops-ovh_iplb-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    # Where it says that the collection is there already, ansible-galaxy installs nothing.
    place = f"ANSIBLE_COLLECTIONS_PATH={tmp_path}"
    converged.run("controller", "env", place, galaxy, "collection", "install", artifact, "--offline", "-p", tmp_path)
    played = converged.play("mailops.ovh_iplb.smtp", ANSIBLE_COLLECTIONS_PATH=str(tmp_path))
    assert played.status == 0, played.output
    assert not any(played.changed.values()), played.output


def test_an_inventory_without_backends_is_an_error(lab: Lab, tmp_path: Path) -> None:
    empty = tmp_path / "inventory.yml"
    empty.write_text("smtp_backends:\n  hosts: {}\n")
    program = Path(sys.executable).parent / "ansible-playbook"
    environment = f"ANSIBLE_COLLECTIONS_PATH={PROJECT / '.venv' / 'collections'}"
    played = lab.run("controller", "env", environment, program, "-i", empty, PROJECT / SMTP, check=False)
    assert played.returncode != 0
    assert "smtp_backends" in played.stdout


def test_no_zone_at_all_is_an_error(converged: Lab) -> None:
    """The plan would be empty, and so nothing would stand in the way of a Postfix without the header."""
    played = converged.play(
        SMTP, "-e", '{"smtp_load_balancer_zones": [], "smtp_load_balancer_proxy_protocol_version": null}'
    )
    assert played.status != 0
    assert "smtp_load_balancer_zones is empty" in played.output
    assert not any(played.changed.values()), played.output


def test_the_proof_fails_where_postfix_takes_the_header_for_a_command(converged: Lab, tmp_path: Path) -> None:
    proof = tmp_path / "proof.yml"
    proof.write_text(PROOF)
    for host in converged.backends:
        converged.shell(host, "postconf -PX smtp/inet/smtpd_upstream_proxy_protocol && postfix reload")
    try:
        await_result(lambda: "expected 250 for EHLO, got 5" in converged.play(str(proof)).output)
    finally:
        repaired = converged.play(SMTP)
    assert repaired.status == 0, repaired.output
    assert converged.play(str(proof)).status == 0


PROOF = f"""
- name: Confirm
  hosts: smtp_backends
  gather_facts: false
  tasks:
    - name: Confirm by SMTP
      ansible.builtin.import_role:
        name: mailops.ovh_iplb.smtp_load_balancer
        tasks_from: confirm
      vars:
        smtp_load_balancer_address: {SERVICE_ADDRESS}
"""


def test_a_backend_whose_postfix_failed_is_not_added(converged: Lab) -> None:
    failing, working = converged.backends[0], converged.backends[1]
    farm = converged.api("GET", "{service}/tcp/farm")[0]
    addresses = {
        converged.api("GET", f"{{service}}/tcp/farm/{farm}/server/{server}")["address"]: server
        for server in converged.api("GET", f"{{service}}/tcp/farm/{farm}/server")
    }
    converged.api("DELETE", f"{{service}}/tcp/farm/{farm}/server/{addresses[converged.address(failing)]}")
    converged.shell(
        failing, "mv /etc/postfix/main.cf /etc/postfix/main.cf.real && ln -s main.cf.real /etc/postfix/main.cf"
    )
    try:
        played = converged.play(SMTP)
        servers = converged.api("GET", f"{{service}}/tcp/farm/{farm}/server")
    finally:
        converged.shell(failing, "mv /etc/postfix/main.cf.real /etc/postfix/main.cf")
    assert played.status != 0
    assert played.failed[failing] == 1, played.output
    assert servers == [addresses[converged.address(working)]]
    assert f"[{CLIENTS[0]}]" in received(converged, CLIENTS[0], "with one backend")
    repaired = converged.play(SMTP)
    assert repaired.status == 0, repaired.output
    assert len(converged.api("GET", f"{{service}}/tcp/farm/{farm}/server")) == len(converged.backends)


def test_the_service_answers_on_its_address(converged: Lab) -> None:
    greeting = converged.run(
        "client",
        sys.executable,
        "-c",
        f"import smtplib; print(smtplib.SMTP('{SERVICE_ADDRESS}').ehlo()[0])",
    )
    assert greeting.stdout.strip() == "250"
