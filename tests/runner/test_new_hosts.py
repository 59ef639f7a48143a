# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts on which the role itself installs Postfix.

Stand-ins take the place of the installation, and of all modules that would reach Postfix or the firewall of this
machine.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from simulator.launcher import Running

from .conftest import ROOT
from .test_plays import Controller, Run

STAND_IN = """\
#!/usr/bin/python
# WANT_JSON
import json, pathlib, sys
directory = pathlib.Path({directory!r})
arguments = json.loads(pathlib.Path(sys.argv[1]).read_text())
checking = arguments["_ansible_check_mode"]
installed = (directory / "installed").exists()
result = {{"changed": False}}
if {name!r} == "installer":
    result["changed"] = not installed
    if not checking:
        (directory / "installed").touch()
elif {name!r} == "postfix_info":
    result.update({{"installed": installed}}, **({{"version": {version!r}}} if installed else {{}}))
elif not checking:
    (directory / {name!r}).write_text(json.dumps(arguments))
    with open(directory / "changed", "a") as file:
        file.write({name!r} + "\\n")
print(json.dumps({{**result, "plan": [], "postfix_version": {version!r}}}))
"""


class NewHosts(Controller):
    """Hosts that get this version of Postfix when it is installed."""

    def __init__(self, simulator: Running, directory: Path, version: str) -> None:
        super().__init__(simulator, directory)
        ours = directory / "collections/ansible_collections/mailops/ovh_iplb"
        for part in ("plugins", "roles", "playbooks", "meta"):
            shutil.copytree(ROOT / part, ours / part)
        shutil.copy(ROOT / "galaxy.yml", ours)
        (directory / "library").mkdir()
        self._stand_in(directory / "library/installer.py", version)
        for name in ("postfix_info", "postfix_config", "port_guard"):
            self._stand_in(ours / f"plugins/modules/{name}.py", version)

    def _stand_in(self, path: Path, version: str) -> None:
        path.write_text(STAND_IN.format(directory=str(self.directory), name=path.stem, version=version))

    def converge(self, **variables: Any) -> Run:
        return self.run("mailops.ovh_iplb.smtp", "-e", json.dumps(variables))

    def run(self, playbook: str, *arguments: str, **environment: str) -> Run:
        said = {
            "postfix_backend_install": True,
            "ansible_package_use": "ansible.legacy.installer",
            "ansible_become": False,
        }
        places = {
            "ANSIBLE_COLLECTIONS_PATH": str(self.directory / "collections"),
            "ANSIBLE_LIBRARY": str(self.directory / "library"),
        }
        return super().run(playbook, "-e", json.dumps(said), *arguments, **places, **environment)

    def given(self, module: str) -> dict[str, Any]:
        """The arguments with which a module changed a host last."""
        arguments: dict[str, Any] = json.loads((self.directory / module).read_text())
        return arguments

    @property
    def changed(self) -> list[str]:
        path = self.directory / "changed"
        return path.read_text().split() if path.exists() else []


CHECKED_BY_TCP = {
    "smtp_load_balancer_services": [
        {
            "name": "smtp",
            "port": "25",
            "listener": "smtp/inet",
            "proxy_protocol_version": "v2",
            "probe": {"type": "tcp"},
        }
    ]
}


def test_a_postfix_that_dies_of_its_checks_gets_none_also_where_it_was_installed_just_now(
    simulator: Running, tmp_path: Path
) -> None:
    simulator.reset()
    hosts = NewHosts(simulator, tmp_path, "3.10.5")
    for _run in range(2):
        played = hosts.converge(**CHECKED_BY_TCP)
        assert played.status == 2, played.output
        assert "smtpd of Postfix 3.10.5 dies of that" in played.messages
        assert hosts.changed == []
        assert hosts.writes() == []


def test_a_postfix_that_bears_them_is_put_behind_the_load_balancer(simulator: Running, tmp_path: Path) -> None:
    simulator.reset()
    hosts = NewHosts(simulator, tmp_path, "3.11.0")
    played = hosts.converge(**CHECKED_BY_TCP)
    assert "dies of that" not in played.messages
    assert "postfix_config" in hosts.changed
    assert hosts.writes() != []


def test_a_roll_out_judges_the_address_of_a_server_as_the_playbook_smtp_does(
    simulator: Running, tmp_path: Path
) -> None:
    """The role in a play without the load balancer's role, whose defaults the playbook smtp knows throughout."""
    simulator.reset()
    hosts = NewHosts(simulator, tmp_path, "3.7.11")
    played = hosts.play([{"name": "mailops.ovh_iplb.postfix_backend"}], "--limit", "b2")
    assert played.status == 0, played.output
    (listener,) = hosts.given("postfix_config")["proxy_listeners"]
    assert listener["server_address"] == "192.0.2.12"
