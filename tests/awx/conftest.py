# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for AWX, and playbooks on it with the collection awx.awx."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from awx.app import API, TOKEN, build, view
from awx.controller import Controller
from tools.serving import serving

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "examples/awx-project"
PROGRAMS = Path(sys.executable).parent
# The last `ansible` with awx.awx: later ones have no collection for AWX.
PACKAGE = "ansible==12.3.0"
TIMEOUT = 300  # seconds
NAME = "SMTP load balancer"


def private_key(text: str) -> str:
    """What AWX takes for a private key, with a text in it to look for."""
    data = base64.b64encode(b"openssh-key-v1\0\0\0\0\4none" + text.encode()).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{data}\n-----END OPENSSH PRIVATE KEY-----\n"


KEY = private_key("thePrivateKey")
VARIABLES: dict[str, Any] = {
    "iplb_awx_project_url": "https://git.example.com/mail/awx-project.git",
    "iplb_awx_image": "registry.example.com/mail/iplb:1.0.0",
    "iplb_awx_ovh_inputs": {
        "endpoint": "ovh-eu",
        "service_name": "loadbalancer-0123456789abcdef",
        "application_key": "theApplicationKey",
        "application_secret": "theApplicationSecret",
        "consumer_key": "theConsumerKey",
        "access_token": "",
    },
    "iplb_awx_machine_inputs": {"username": "root", "ssh_key_data": KEY},
    "iplb_awx_notify_url": "https://chat.example.com/hook",
}


def changed(output: str) -> int:
    """How many tasks of a run that went well changed something."""
    match = re.search(r"localhost +: ok=\d+ +changed=(\d+) .*failed=0", output)
    assert match, output
    return int(match[1])


def is_manifest(name: str) -> bool:
    return name.endswith("MANIFEST.json")


@pytest.fixture(scope="session")
def collections() -> Path:
    """A path with the collection awx.awx; kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mailops.ovh_iplb-tests" / PACKAGE
    if not (cache / "ansible_collections/awx/awx/MANIFEST.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = cache.glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith("ansible_collections/awx/")]
            # The manifest comes last, as the sign that all is there.
            names.sort(key=is_manifest)
            archive.extractall(cache, names)
        wheel.unlink()
    return cache


class Awx:
    """AWX as the user of the playbook sees it."""

    def __init__(self, controller: Controller, url: str, collections: Path, directory: Path) -> None:
        self.controller = controller
        self.directory = directory
        own = os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".venv/collections"))
        self.environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": f"{own}:{collections}",
            "ANSIBLE_NOCOLOR": "1",
            "CONTROLLER_HOST": url,
            "CONTROLLER_OAUTH_TOKEN": TOKEN,
        }

    def play(self, variables: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the playbook with a user's one file of variables."""
        path = self.directory / "awx.yml"
        path.write_text(yaml.safe_dump(variables))
        program = str(PROGRAMS / "ansible-playbook")
        command = [program, "mailops.ovh_iplb.awx", "-i", "localhost,", "-e", f"@{path}", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
        )

    def objects(self, collection: str) -> dict[str, dict[str, Any]]:
        """Objects by name (nodes by identifier), as the API shows them."""
        self.controller.settle()
        found = [view(self.controller, item) for item in self.controller.objects[collection].values()]
        return {item.get("name") or item["identifier"]: item for item in found}

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request of one who speaks to the API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.request(
            method, f"{self.environment['CONTROLLER_HOST']}{API}/{path}/", headers=headers, json=body, trust_env=False
        )

    def linked(self, collection: str, name: str, relation: str) -> list[str]:
        """Names of what is associated with an object."""
        record = self.objects(collection)[name]
        ids = self.controller.links.get((record["id"], relation), [])
        everything = {item["id"]: item for items in self.controller.objects.values() for item in items.values()}
        return [everything[item].get("name") or everything[item]["identifier"] for item in ids]


@contextmanager
def fresh(collections: Path, directory: Path) -> Iterator[Awx]:
    """An AWX with nothing in it."""
    controller = Controller(PROJECT)
    with serving(build(controller)) as url:
        yield Awx(controller, url, collections, directory)


@pytest.fixture(scope="module")
def awx(collections: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    with fresh(collections, tmp_path_factory.mktemp("awx")) as made:
        yield made
