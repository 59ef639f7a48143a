# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each step of the role ``postfix_backend`` made to fail on purpose: the host serves mail as before."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .backend import JOURNAL, apply, describe, fresh_lab
from .conftest import CLIENTS
from .driver import Lab, await_result

PLAYBOOK = """
- name: Only the role
  hosts: smtp_backends
  gather_facts: false
  tasks:
    - name: Postfix behind the load balancer
      ansible.builtin.import_role:
        name: mailops.ovh_iplb.postfix_backend
"""


@dataclass(frozen=True)
class Failure:
    """What goes wrong: a condition on the host, undone afterwards, or what the task asks for."""

    says: str
    """What the run must tell of it."""
    script: str = "true"
    undo: str = "true"
    variables: dict[str, Any] = field(default_factory=dict)


# Two at a time, one on each host.
FAILURES = {
    "a bad parameter": Failure(
        "smtpd_helo_required", variables={"postfix_backend_parameters": {"smtpd_helo_required": "maybe"}}
    ),
    "a port that is taken": Failure(
        "port 10025 is not free",
        'systemd-run --unit=taken python3 -c \'import socket, time; s = socket.create_server(("", 10025));'
        " time.sleep(600)'; until ss -Hltn 'sport = :10025' | grep -q .; do sleep 0.1; done",
        "systemctl stop taken",
        {"postfix_backend_listener": "10025/inet"},
    ),
    "a restart that fails": Failure(
        "The previous files are back and Postfix runs as before",
        """for unit in postfix.service postfix@-.service; do
    mkdir -p /etc/systemd/system/$unit.d
    printf '[Service]\\nExecStartPre=/bin/sh -c "! grep -q upstream_proxy /etc/postfix/master.cf"\\n' \
        > /etc/systemd/system/$unit.d/fail.conf
done; systemctl daemon-reload""",
        "rm -r /etc/systemd/system/postfix*.d; systemctl daemon-reload",
    ),
    "a full disk where the copy is made": Failure(
        "No space left on device",
        "mkdir -p /mnt/small && mount -t tmpfs -o size=1m small /mnt/small;"
        "cp -p /etc/postfix/main.cf /root/main.cf; (yes '# padding' | head -c 1200000; echo) >> /etc/postfix/main.cf",
        "umount /mnt/small; cp -p /root/main.cf /etc/postfix/main.cf",
        {"ansible_remote_tmp": "/mnt/small"},
    ),
    "a full disk where the configuration is": Failure(
        "No space left on device",
        "cp -a /etc/postfix /root/postfix; mount -t tmpfs -o size=600k small /etc/postfix;"
        "cp -a /root/postfix/. /etc/postfix; dd if=/dev/zero of=/etc/postfix/filler 2> /dev/null; true",
        "umount /etc/postfix",
    ),
    "a firewall that does not load": Failure(
        "There is no guard, as before",
        "mkdir -p /etc/systemd/system/mailops-ovh-iplb.service.d; printf '[Service]\\nExecStartPre=/bin/false\\n' "
        "> /etc/systemd/system/mailops-ovh-iplb.service.d/fail.conf",
        "rm -r /etc/systemd/system/mailops-ovh-iplb.service.d; systemctl daemon-reload",
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with fresh_lab("fail") as lab:
        yield lab


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("playbook") / "backend.yml"
    path.write_text(PLAYBOOK)
    return path


@pytest.mark.parametrize("names", [tuple(FAILURES)[first : first + 2] for first in range(0, len(FAILURES), 2)])
def test_after_a_failure_the_host_serves_mail_as_before(lab: Lab, playbook: Path, names: tuple[str, str]) -> None:
    with ThreadPoolExecutor() as pool:
        seen = list(pool.map(lambda pair: fail(lab, playbook, *pair), zip(lab.backends, names, strict=True)))
    for name, (output, before, after, answer) in zip(names, seen, strict=True):
        assert FAILURES[name].says in output.replace("\n", " "), (name, output)
        assert after == before, name
        assert answer["accepted"], (name, answer)


def fail(lab: Lab, playbook: Path, host: str, name: str) -> tuple[str, str, str, dict[str, Any]]:
    """Output of the failing run, the host before and after it, and what the host says to direct mail then."""
    failure = FAILURES[name]
    before = describe(lab, host)
    lab.shell(host, failure.script)
    try:
        played = apply(lab, str(playbook), failure.variables, "--limit", f"{host},localhost")
        answer = lab.send(CLIENTS[0], name, lab.address(host))
    finally:
        lab.shell(host, failure.undo)
    assert played.failed[host] == 1, played.output
    return played.output, before, describe(lab, host), answer


EVERYTHING_ENDS = """
- name: The role, where a failure of one host ends the play for all
  hosts: smtp_backends
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: Postfix behind the load balancer
      ansible.builtin.import_role:
        name: mailops.ovh_iplb.postfix_backend
"""
LEAVE = PLAYBOOK + "        tasks_from: absent\n"


def test_a_host_whose_postfix_believes_headers_keeps_its_firewall_when_another_fails(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "ends.yml").write_text(EVERYTHING_ENDS)
    (tmp_path / "leave.yml").write_text(LEAVE)
    before = describe(lab, "backend2")
    # Nothing that a trial could see: then no host would be changed at all.
    failure = FAILURES["a restart that fails"]
    lab.shell("backend1", failure.script)
    played = apply(lab, str(tmp_path / "ends.yml"))
    lab.shell("backend1", failure.undo)
    overrides = lab.shell("backend2", "postconf -P")
    tables = lab.shell("backend2", "nft list tables")
    left = apply(lab, str(tmp_path / "leave.yml"), {}, "--limit", "backend2")
    assert played.failed["backend1"] == 1, played.output
    assert "upstream_proxy_protocol" in overrides
    assert "mailops_ovh_iplb" in tables
    assert left.status == 0, left.output
    assert describe(lab, "backend2") == before


def test_a_connection_cut_in_the_middle_leaves_the_host_as_before_or_as_declared(lab: Lab, playbook: Path) -> None:
    host = "backend1"
    before = describe(lab, host)
    cut = f"until [ -e {JOURNAL} ]; do sleep 0.02; done; pkill -KILL -f '^sshd.*: root@'"
    with ThreadPoolExecutor() as pool:
        cutting = pool.submit(lab.shell, host, f"timeout 60 sh -c '{cut}'", False)
        played = apply(lab, str(playbook), {}, "--limit", host)
        cutting.result()
    assert played.status != 0
    assert "UNREACHABLE" in played.output, played.output
    await_result(lambda: lab.run(host, "test", "-e", JOURNAL, check=False).returncode)
    in_between = describe(lab, host)
    finished = apply(lab, str(playbook), {}, "--limit", host)
    assert finished.status == 0, finished.output
    assert in_between in (before, describe(lab, host))
