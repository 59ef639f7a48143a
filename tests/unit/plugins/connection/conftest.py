# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paramiko connection, and servers for it to reach."""

from __future__ import annotations

import os
import platform
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import add_fragments
from ansible_collections.mailops.ovh_iplb.plugins.connection import paramiko
from ansible_collections.mailops.ovh_iplb.plugins.doc_fragments import ssh

from unit.plugins.connection import commands, sshd
from unit.plugins.connection.sshd import Sshd, World

Connect = Callable[..., Any]
NAME = "mailops.ovh_iplb.paramiko"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = platform.system() != "Linux" or os.geteuid() != 0 or not sshd.PROGRAM.exists()
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.programs)
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"needs root on Linux, and {sshd.PROGRAM}"))


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with sshd.world() as made:
        yield made


@pytest.fixture(scope="session")
def server(world: World) -> Iterator[Sshd]:
    """Takes keys and passwords, and has an Ed25519 host key."""
    with sshd.running(world) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _options() -> None:
    """Tell Ansible of the options, as its loader does. That one finds no collection that was imported without it."""
    documentation = yaml.safe_load(paramiko.DOCUMENTATION)
    documentation["extends_documentation_fragment"].remove("mailops.ovh_iplb.ssh")
    documentation["options"].update(yaml.safe_load(ssh.ModuleDocFragment.DOCUMENTATION)["options"])
    add_fragments(documentation, paramiko.__file__, fragment_loader)
    constants.config.initialize_plugin_configuration_definitions("connection", NAME, documentation["options"])


@pytest.fixture(params=[60, 0], ids=["kept", "single"])
def keep_open(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def control() -> Iterator[Path]:
    """Where connections are kept. The name of a socket is short."""
    with tempfile.TemporaryDirectory(prefix="mailops-") as directory:
        yield Path(directory)


@pytest.fixture
def connect(tmp_path: Path, control: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Make a connection for alice, who has one key and no agent unless options say otherwise. Checks no host key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made = []

    def make(server: Sshd, **options: Any) -> Any:
        connection = paramiko.Connection(PlayContext())
        connection._load_name = NAME
        defaults = {
            "remote_addr": "127.0.0.1",
            "port": server.port,
            "remote_user": "alice",
            "private_key_file": str(server.world.path("ed25519")),
            "known_hosts": [str(tmp_path / "known_hosts")],
            "host_key_checking": False,
            "control_path_dir": str(control / "cp"),
            "look_for_keys": False,
        }
        connection.set_options(direct={**defaults, **options})
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.reset()


@pytest.fixture
def pause() -> Iterator[str]:
    """A command that does not end, and has ended after the test."""
    command = commands.pause(3600)
    yield command
    for process in commands.running(command):
        os.kill(process, signal.SIGKILL)
