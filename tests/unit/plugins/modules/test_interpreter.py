# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller where the Python that Ansible picks for a localhost of the inventory has no package ovh."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import runner

from unit.plugins.modules.harness import Service

pytestmark = [pytest.mark.slow, pytest.mark.programs]

ROOT = Path(__file__).resolve().parents[4]
PROGRAMS = Path(sys.executable).parent
# The directory that holds ansible_collections; the link in it is kept.
COLLECTIONS = Path(runner.__file__).parents[6]
OTHERS = {"ansible_connection": "ssh", "ansible_host": "192.0.2.1", "ansible_user": "nobody"}


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter without packages, as /usr/bin/python3 mostly is."""
    directory = tmp_path_factory.mktemp("python") / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    return str(directory / "bin/python")


def play(service: Service, directory: Path, playbook: Path, inventory: dict[str, Any]) -> tuple[int, str]:
    """Exit status and output of a playbook that gets the credentials from the environment."""
    (directory / "hosts.yml").write_text(yaml.safe_dump(inventory))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        **service.simulator.environment,
    }
    command = [str(PROGRAMS / "ansible-playbook"), "-i", str(directory / "hosts.yml"), str(playbook), "-e", "pace=0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def written(directory: Path, **values: Any) -> Path:
    path = directory / "play.yml"
    path.write_text(yaml.safe_dump([{"gather_facts": False, **values}]))
    return path


def test_the_message_names_the_python_that_ran_and_how_to_choose_another(
    service: Service, bare: str, tmp_path: Path
) -> None:
    playbook = written(tmp_path, hosts="localhost", tasks=[{"mailops.ovh_iplb.load_balancer_info": {}}])
    localhost = {"ansible_connection": "local", "ansible_python_interpreter": bare}
    status, output = play(service, tmp_path, playbook, {"all": {"hosts": {"localhost": localhost}}})
    assert status == 2
    assert f"the Python package ovh is missing for {bare} on " in output
    assert "set ansible_python_interpreter" in output
    assert "{{ ansible_playbook_python }}" in output
    assert "Traceback" not in output


def test_what_the_message_says_helps(service: Service, bare: str, tmp_path: Path) -> None:
    chosen = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    playbook = written(tmp_path, hosts="localhost", vars=chosen, tasks=[{"mailops.ovh_iplb.load_balancer_info": {}}])
    localhost = {"ansible_connection": "local", "ansible_python_interpreter": bare}
    status, output = play(service, tmp_path, playbook, {"all": {"hosts": {"localhost": localhost}}})
    assert status == 0, output


def test_the_role_uses_the_python_of_ansible_whatever_the_inventory_says(
    service: Service, bare: str, tmp_path: Path
) -> None:
    wrong = {"ansible_python_interpreter": bare}
    playbook = written(tmp_path, hosts="smtp_backends", roles=["mailops.ovh_iplb.smtp_load_balancer"])
    inventory = {
        "all": {"hosts": {"localhost": {**wrong, **OTHERS}}, "vars": {"ansible_become": True}},
        "smtp_backends": {
            "hosts": {"mx1": {**wrong, "ansible_host": "192.0.2.11"}},
            "vars": {"smtp_load_balancer_wait_for_healthy": False},
        },
    }
    status, output = play(service, tmp_path, playbook, inventory)
    assert status == 0, output
    assert service.only("tcp/server")["address"] == "192.0.2.11"


def test_the_example_uses_the_python_of_ansible_whatever_the_inventory_says(
    service: Service, bare: str, tmp_path: Path
) -> None:
    example = ROOT / "examples/many-load-balancers"
    inventory = yaml.safe_load((example / "hosts.yml").read_text())
    group = inventory["load_balancers"]
    group["hosts"] = {service.simulator.service: next(iter(group["hosts"].values()))}
    group["vars"].update({"ansible_python_interpreter": bare, **OTHERS})
    inventory["all"] = {"hosts": {"localhost": {"ansible_python_interpreter": bare, **OTHERS}}}
    status, output = play(service, tmp_path, example / "site.yml", inventory)
    assert status == 0, output
    assert {server["address"] for server in service.staged("tcp/server")} == {"192.0.2.11", "192.0.2.12"}
