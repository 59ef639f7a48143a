# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab as the demo and the end-to-end tests use it: run things in their place, send mail, read mailboxes."""

from __future__ import annotations

import json
import mailbox
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
LAB = HERE / "lab"
SERVICE_ADDRESS = "198.51.100.25"
# Where ansible-playbook lies: that of another ansible-core than the tests' own, if somebody says so.
PROGRAMS = Path(os.environ.get("MAILOPS_LAB_ANSIBLE") or Path(sys.executable).parent)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Play:
    """What ansible-playbook did. ``changed`` and ``failed`` by host, from the recap."""

    status: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        return self._recap("changed")

    @property
    def failed(self) -> dict[str, int]:
        return {
            host: failed + unreachable
            for (host, failed), unreachable in zip(
                self._recap("failed").items(), self._recap("unreachable").values(), strict=True
            )
        }

    @property
    def is_idle(self) -> bool:
        """Whether it succeeded and changed nothing: a run that failed early has changed nothing either."""
        return self.status == 0 and bool(self.changed) and not any(self.changed.values())

    def _recap(self, word: str) -> dict[str, int]:
        recap = self.output.rpartition("PLAY RECAP")[2]
        return {host: int(number) for host, number in re.findall(rf"^(\S+)\s+:.*\b{word}=(\d+)", recap, re.M)}


class Lab:
    """A lab that is up. Another one, set apart by its name, may stand beside it."""

    def __init__(self, name: str = "") -> None:
        self.variables = _variables(name)
        status = subprocess.run(
            [LAB, "status", "--json"], check=True, capture_output=True, text=True, env=self.variables
        )
        self.status: dict[str, Any] = json.loads(status.stdout)
        self.backends = [name for name, host in self.status["hosts"].items() if host["role"] == "backend"]

    @classmethod
    def up(cls, *options: str, name: str = "") -> Lab:
        subprocess.run([LAB, "up", *options], check=True, env={**_variables(name), "PYTHON": sys.executable})
        return cls(name)

    @staticmethod
    def down(name: str = "") -> None:
        subprocess.run([LAB, "down"], check=True, env=_variables(name))

    def address(self, host: str) -> str:
        return str(self.status["hosts"][host]["addresses"][0])

    def run(self, host: str, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a host, or in the balancer's, client's or controller's place."""
        done = subprocess.run(
            self._exec(host, *command), check=False, capture_output=True, text=True, env=self.variables
        )
        if check and done.returncode:
            raise RuntimeError(f"{host}: {command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, host: str, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command whose input and output are pipes."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._exec(host, *command), stdin=pipe, stdout=pipe, text=True, env=self.variables, start_new_session=True
        )

    def shell(self, host: str, script: str, check: bool = True) -> str:
        return self.run(host, "sh", "-c", script, check=check).stdout

    def play(self, playbook: str, *arguments: str, show: bool = False, cwd: Path = PROJECT, **environment: str) -> Play:
        """Run a playbook from the controller, against the lab's inventory; ``show`` prints it as it goes."""
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as inventory:
            inventory.write(
                subprocess.run(
                    [LAB, "inventory"], check=True, capture_output=True, text=True, env=self.variables
                ).stdout
            )
            inventory.flush()
            program = PROGRAMS / "ansible-playbook"
            process = subprocess.Popen(
                self._exec("controller", program, "-i", inventory.name, playbook, *arguments),
                cwd=cwd,
                env={**self.variables, **self.environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if show:
                    print(line, end="", flush=True)
            return Play(process.wait(), "".join(lines))

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call behind the collection's back; ``{service}`` in the path stands for the service."""
        arguments = [json.dumps(body)] if body is not None else []
        environment = [f"{name}={value}" for name, value in self.environment().items() if name.startswith("OVH_")]
        call = [sys.executable, str(HERE / "call_api.py"), method, path, *arguments]
        return json.loads(self.run("controller", "env", *environment, *call).stdout)

    def simulator(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call to what the simulator offers tests, below ``/_simulator/``."""
        url = f"{self.status['api']['url'].removesuffix('/1.0')}/_simulator/{path}"
        script = (
            "import sys, urllib.request as r; method, url, body = sys.argv[1:];"
            "print(r.urlopen(r.Request(url, body.encode() or None, method=method)).read().decode())"
        )
        text = json.dumps(body) if body is not None else ""
        return json.loads(self.run("controller", sys.executable, "-c", script, method, url, text).stdout)

    def send(self, source: str, subject: str, host: str = SERVICE_ADDRESS, **options: str) -> dict[str, Any]:
        """Send a message from one of the client's addresses; what the server said."""
        extra = [word for name, value in options.items() for word in (f"--{name}", value)]
        sent = self.run(
            "client",
            sys.executable,
            HERE / "send_mail.py",
            *("--source", source, "--host", host, "--subject", subject, *extra),
        )
        answer: dict[str, Any] = json.loads(sent.stdout)
        return answer

    def find(self, subject: str, user: str = "alice") -> tuple[str, Message] | None:
        """The backend and the message of that subject in the user's mailbox."""
        for host in self.backends:
            for message in self.mailbox(host, user):
                if message["Subject"] == subject:
                    return host, message
        return None

    def mailbox(self, host: str, user: str) -> list[Message]:
        with tempfile.NamedTemporaryFile("w") as copy:
            copy.write(self.shell(host, f"cat /var/mail/{user} 2>/dev/null", check=False))
            copy.flush()
            return list(mailbox.mbox(copy.name))

    def _exec(self, host: str, *command: str | Path) -> list[str]:
        return [sys.executable, str(LAB), "exec", host, "--", *map(str, command)]

    def environment(self) -> dict[str, str]:
        api = self.status["api"]
        return {
            "OVH_ENDPOINT": api["url"],
            "OVH_APPLICATION_KEY": api["application_key"],
            "OVH_APPLICATION_SECRET": api["application_secret"],
            "OVH_CONSUMER_KEY": api["consumer_key"],
            "OVH_IPLB_SERVICE": api["service_name"],
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".venv" / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOWS": "true",
        }


def _variables(name: str) -> dict[str, str]:
    return {**os.environ, "MAILOPS_LAB": os.environ.get("MAILOPS_LAB", "") + name}


def await_result(look: Callable[[], Result | None], seconds: float = 30) -> Result:
    """What ``look`` finds, as soon as it finds anything.

    :raises TimeoutError: when it found nothing in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"nothing was found within {seconds:g} s")
