# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules of the collection in this process, against a simulator."""

from __future__ import annotations

import contextlib
import io
import json
from importlib import import_module
from typing import Any

import pytest
from ansible.module_utils.common import warnings
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import api as _api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import executor as _executor
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import refresher as _refresher

from simulator.launcher import Running
from unit.plugins.modules.arguments import module_arguments

try:
    from ansible.module_utils.secrets import mask_secrets
except ImportError:  # before ansible-core 2.22
    mask_secrets = str

Values = dict[str, Any]

MODULES = "ansible_collections.mailops.ovh_iplb.plugins.modules"
CREDENTIALS = ("application_key", "application_secret", "consumer_key")
WRITES = ("POST", "PUT", "DELETE")


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pauses between two looks or attempts as short as a quick simulator's refreshes.

    A module's process starts without warnings, and is not a controller's as this one is once a plugin was imported.
    """
    monkeypatch.setattr(_refresher, "POLL_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(_executor, "LOOK_AGAIN_SECONDS", (0.01,))
    monkeypatch.setattr(_api, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(warnings, "_global_warnings", type(warnings._global_warnings)())
    with contextlib.suppress(ImportError):
        monkeypatch.setattr("ansible.module_utils._internal.is_controller", False, raising=False)


class Service:
    """The simulator's load balancer, as a user's tasks and a test's assertions see it."""

    def __init__(self, simulator: Running) -> None:
        self.simulator = simulator
        self.connection: Values = {
            "endpoint": simulator.endpoint,
            "service_name": simulator.service,
            **{name: simulator.environment[f"OVH_{name.upper()}"] for name in CREDENTIALS},
        }
        self.output = ""

    # Tasks. Options overrule the connection; ``check=True`` is check mode.

    def run(self, module: str, **options: Any) -> Values:
        """The result of a task that has to succeed."""
        result = self.attempt(module, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def fail(self, module: str, **options: Any) -> str:
        """The message of a task that has to fail."""
        return str(self.failure(module, **options)["msg"])

    def failure(self, module: str, **options: Any) -> Values:
        result = self.attempt(module, **options)
        assert result.get("failed"), f"succeeded: {result}"
        return result

    def attempt(self, module: str, check: bool = False, **options: Any) -> Values:
        """The result of a task that may fail."""
        arguments = {**self.connection, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        entry = import_module(f"{MODULES}.{module}")
        output = io.StringIO()
        with module_arguments(arguments), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            entry.main()
        result: Values = json.loads(output.getvalue())
        # From ansible-core 2.22 on a module tells what is secret, and Ansible hides it.
        result.pop("_ansible_new_secrets", None)
        result = _masked(result)
        self.output = json.dumps(result)
        return result

    # What others do

    def api(self, method: str, path: str, body: Values | None = None) -> Any:
        return self.simulator.call(method, path, body)

    # What they did

    def staged(self, kind: str) -> list[Values]:
        """Objects as the API holds them, ``tcp/farm`` and so on, oldest first."""
        objects: list[Values] = self.simulator.admin("GET", "staged").get(kind, [])
        return objects

    def only(self, kind: str) -> Values:
        (found,) = self.staged(kind)
        return found

    def live(self, zone: str, kind: str) -> list[Values]:
        objects: list[Values] = self.simulator.admin("GET", "live").get(zone, {}).get(kind, [])
        return objects

    def everything(self) -> Values:
        objects: Values = self.simulator.admin("GET", "staged")
        return objects

    def writes(self) -> list[str]:
        """Writes since the last ``forget``, as METHOD and the path below the service."""
        below = len(f"/ipLoadbalancing/{self.simulator.service}/")
        return [f"{entry['method']} {entry['path'][below:]}" for entry in self.log() if entry["method"] in WRITES]

    def log(self) -> list[Values]:
        """Requests since the last ``forget``."""
        entries: list[Values] = self.simulator.admin("GET", "requests")["requests"]
        return entries

    def forget(self) -> None:
        self.simulator.admin("DELETE", "requests")

    def fault(self, **fault: Any) -> None:
        self.simulator.admin("POST", "faults", fault)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return mask_secrets(value) if isinstance(value, str) else value
