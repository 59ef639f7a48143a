# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets as people have them: with a line break at the end, in a file of another folder, of another API."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.credentials import (
    Settings,
    find_settings,
    started_in,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, InvalidInput

SECRET = "the-secret-token"
KEYS = ("application_key", "application_secret", "consumer_key")


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t", "\n\n"])
@pytest.mark.parametrize("source", ["option", "environment", "file"])
def test_a_line_break_after_a_secret_is_none_of_it(tmp_path: Path, around: str, source: str) -> None:
    conf = tmp_path / "ovh.conf"
    conf.write_text(f"[default]\nendpoint=ovh-eu\n[ovh-eu]\naccess_token={SECRET}{around}\n")
    settings = {
        "option": lambda: find_settings({"endpoint": f"ovh-eu{around}", "access_token": SECRET + around}, {}, []),
        "environment": lambda: find_settings(
            {}, {"OVH_ENDPOINT": f"{around}ovh-eu", "OVH_ACCESS_TOKEN": around + SECRET + around}, []
        ),
        "file": lambda: find_settings({}, {}, [str(conf)]),
    }[source]()
    assert settings == Settings("ovh-eu", {"access_token": SECRET})


@pytest.mark.parametrize("broken", [f"{SECRET}\nmore", f"{SECRET}\x00", f"{SECRET}\x7f", f"{SECRET} x", f"{SECRET}é"])
@pytest.mark.parametrize("name", [*KEYS, "access_token", "client_secret"])
def test_a_secret_that_can_not_be_one_is_refused_by_name_and_not_shown(name: str, broken: str) -> None:
    for options, environment, what in (
        ({name: broken}, {}, name),
        ({}, {f"OVH_{name.upper()}": broken}, f"OVH_{name.upper()}"),
    ):
        with pytest.raises(InvalidInput) as caught:
            find_settings({"endpoint": "ovh-eu", **options}, environment, [])
        assert caught.value.message.startswith(f"{what} holds a line break, a blank or another character")
        assert SECRET not in caught.value.message


def test_an_endpoint_with_a_line_break_within_says_so() -> None:
    with pytest.raises(InvalidInput, match="endpoint holds a line break"):
        find_settings({"endpoint": "https://eu.api\n.ovh.com/1.0", "access_token": SECRET}, {}, [])


@pytest.mark.parametrize("error", [ValueError, UnicodeError, OSError, RuntimeError])
def test_the_text_of_others_exceptions_is_never_told(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    api = Api(Settings("http://127.0.0.1:9/1.0", {"access_token": SECRET}, retries=0))

    def fail(*_arguments: object, **_options: object) -> None:
        raise error(f"Invalid header value: Bearer {SECRET}")

    monkeypatch.setattr(api._client, "raw_call", fail)
    with pytest.raises(ApiError) as caught:
        api.get("/it")
    assert error.__name__ in caught.value.message
    assert SECRET not in f"{caught.value} {caught.value.details}"


def test_a_file_without_the_section_of_the_endpoint_says_so(tmp_path: Path) -> None:
    conf = tmp_path / "ovh.conf"
    conf.write_text(f"[default]\nendpoint=ovh-eu\n[ovh-ca]\naccess_token={SECRET}\n")
    with pytest.raises(InvalidInput, match=rf"credentials are missing.*; {conf} has no section \[ovh-eu\]"):
        find_settings({}, {}, [str(conf)])


def test_the_folder_where_ansible_was_started_is_known_from_the_folder_of_the_playbook(tmp_path: Path) -> None:
    """A module's working directory is the playbook's, which for a playbook by full name lies in the collection."""
    program = tmp_path / "ansible-playbook"
    module = f"import os; os.chdir('/'); from {started_in.__module__} import started_in; print(started_in())"
    program.write_text("import subprocess, sys; subprocess.run(['sh', '-c', sys.argv[1]], check=True)\n")
    started = tmp_path / "started"
    started.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(program), f'"{sys.executable}" -c "{module}"']
    done = subprocess.run(command, cwd=started, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(started)
