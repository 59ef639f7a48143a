# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backends as the tests of their safety need them, and what is on them."""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .driver import HERE, LAB, PROJECT, Lab, Play, await_result

SMTPD = "backend1"
RECORDS = "/etc/postfix/.mailops.ovh_iplb.*"
JOURNAL = "/etc/postfix/.mailops.ovh_iplb.journal"
# Nobody has these addresses: only a header can claim them.
PARTNER = "192.0.2.200"
TRUSTED = "192.0.2.201"

SETUP = f"""
postconf -e 'mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 {PARTNER} {TRUSTED}' \
    'smtpd_authorized_xclient_hosts = 127.0.0.0/8' 'smtpd_authorized_xforward_hosts = 127.0.0.0/8' \
    'smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10040'
postconf -P smtp/inet/smtpd_authorized_xforward_hosts=127.0.0.1
postconf -M 127.0.0.1:10026/inet='127.0.0.1:10026 inet n - y - - smtpd'
postconf -P 127.0.0.1:10026/inet/syslog_name=postfix/reinjection 127.0.0.1:10026/inet/smtpd_recipient_restrictions=
cat > /etc/systemd/system/policy.service << UNIT
[Service]
ExecStart=/usr/bin/python3 /root/policy/policy.py 10040 /var/log/policy.log
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now policy.service
systemctl restart postfix
"""


@contextmanager
def fresh_lab(name: str = "", backends: int = 2) -> Iterator[Lab]:
    """A lab of this name on which no playbook ran yet. It goes down again."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        pytest.skip("the lab needs root on Linux: it boots hosts in network namespaces")
    Lab.down(name)
    try:
        yield Lab.up("--backends", str(backends), name=name)
    finally:
        Lab.down(name)


def every(lab: Lab, action: Callable[[Lab, str], None]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: action(lab, host), lab.backends))


def prepare(lab: Lab, host: str) -> None:
    """Make a fresh backend one that trusts by address, with a policy service and a re-injection port."""
    _copy(lab, host, "/root/policy", {"policy.py": HERE / "policy.py"})
    lab.shell(host, SETUP)


def install(lab: Lab, host: str) -> None:
    """Bring cut.py and listen.py, and the parts of the collection that they need."""
    package = "ansible_collections/mailops/ovh_iplb"
    modules = [*PROJECT.glob("plugins/module_utils/_postfix/*.py"), PROJECT / "plugins/module_utils/_smtp.py"]
    files = {f"{package}/{path.relative_to(PROJECT)}": path for path in modules}
    scripts = {name: HERE / name for name in ("cut.py", "listen.py")}
    _copy(lab, host, "/root/cut", {**scripts, **files})


def _copy(lab: Lab, host: str, directory: str, files: dict[str, Path]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, path in files.items():
            tar.add(path, name)
    script = f'mkdir -p {directory} && echo "$0" | base64 -d | tar -xz -C {directory}'
    lab.run(host, "sh", "-c", script, base64.b64encode(archive.getvalue()).decode())


class Order(NamedTuple):
    """A conversation for attack.py to have."""

    source: str
    host: str
    words: Sequence[str]
    port: int = 25


def converse(lab: Lab, place: str, orders: Sequence[Order]) -> list[list[str]]:
    """Have all conversations at once, from a place of the lab; the answers of each."""
    text = json.dumps([order._asdict() for order in orders])
    answers: list[list[str]] = json.loads(lab.run(place, sys.executable, HERE / "attack.py", text).stdout)
    return answers


class Tried(NamedTuple):
    """What became of a conversation that was tried again and again."""

    order: Order
    tries: int
    refused: int
    heard: list[str]


def insist(lab: Lab, orders: Sequence[Order]) -> Callable[[], list[Tried]]:
    """Have conversations from the client's place again and again, until the result is called."""
    text = json.dumps([order._asdict() for order in orders])
    words = ("env", f"PYTHONPATH={HERE.parent}", sys.executable, "-m", "lab.stranger", text)
    process = lab.start("client", *words)

    def stop() -> list[Tried]:
        reports = json.loads(process.communicate()[0])
        return [Tried(order, **report) for order, report in zip(orders, reports, strict=True)]

    return stop


def apply(lab: Lab, playbook: str, variables: dict[str, Any] | None = None, *arguments: str) -> Play:
    waiting = {"smtp_load_balancer_wait_timeout": 60}
    return lab.play(playbook, "-e", json.dumps({**waiting, **(variables or {})}), *arguments)


def reboot(lab: Lab, host: str) -> None:
    subprocess.run([LAB, "reboot", host], check=True, env=lab.variables)


def describe(lab: Lab, host: str) -> str:
    """Everything on a host that the role could change."""
    return lab.shell(
        host,
        "postconf -n; postconf -M; postconf -P; nft list ruleset;"
        "systemctl list-unit-files --no-legend --state=enabled;"
        "find /etc /run/systemd -name '*mailops*'",
    )


def received_from(lab: Lab, client: str, subject: str, **options: str) -> tuple[str, str]:
    """Send a message through the load balancer; the backend that got it, and its Received line there."""
    answer = lab.send(client, subject, **options)
    assert answer["accepted"], answer["reply"]
    host, message = await_result(lambda: lab.find(subject))
    return host, " ".join(str(message["Received"]).split())
