# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard on a host: in a network namespace with a real nftables, while clients outside of it try all the time.

Only systemd is played: its units load the file, as tests/lab shows on real hosts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard_host, host
from ansible_collections.mailops.ovh_iplb.plugins.modules import port_guard

from tools.waiting import eventually
from unit.plugins.modules.arguments import module_arguments

TOOLS = [name for name in ("ip", "nft", "ss") if shutil.which(name, path=host.PATH) is None]
REASON = "needs root" if os.geteuid() else f"needs {', '.join(TOOLS)}" if TOOLS else ""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REASON), reason=REASON)]

SERVER, BALANCER, STRANGER = "192.0.2.1", "192.0.2.20", "192.0.2.10"
PORTS = (25, 465, 587)
ONE, TWO = "loadbalancer-1", "loadbalancer-2"
OLD_VERSION = """\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
table inet mailops_ovh_iplb
delete table inet mailops_ovh_iplb
table inet mailops_ovh_iplb {
\tset balancer_ipv4 {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 192.0.2.20 }
\t}

\tset balancer_ipv6 {
\t\ttype ipv6_addr
\t\tflags interval
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname "lo" accept
\t\tip saddr @balancer_ipv4 accept
\t\tip6 saddr @balancer_ipv6 accept
\t\ttcp dport 25 tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset
\t}
}
"""

LISTEN = """
import selectors, socket
listeners = selectors.DefaultSelector()
for port in (25, 465, 587):
    listener = socket.create_server(("192.0.2.1", port), backlog=1000)
    listeners.register(listener, selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _events in listeners.select():
        key.fileobj.accept()[0].close()
"""

# Prints moment, source, port and whether it got in, of one attempt after the other.
TRY = """
import socket, time
while True:
    for source in ("192.0.2.10", "192.0.2.20"):
        for port in (25, 465, 587):
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
                client.bind((source, 0))
                client.settimeout(5)
                begun = time.monotonic()
                try:
                    client.connect(("192.0.2.1", port))
                    came_in = 1
                except ConnectionRefusedError:
                    came_in = 0
                print(begun, time.monotonic(), source, port, came_in, flush=True)
"""


class Killed(BaseException):
    """The module's process ends here."""


class Host:
    """A host in a namespace of its own, whose files are in a directory."""

    def __init__(self, namespace: str, directory: Path) -> None:
        self.namespace = namespace
        self.directory = directory
        self.enabled = self.active = False
        self.kill_before: Callable[[tuple[str, ...]], bool] = lambda command: False
        self.fail: Callable[[tuple[str, ...]], bool] = lambda command: False

    def run(self, *command: str, **_options: Any) -> host.Result:
        if self.kill_before(command):
            raise Killed
        if self.fail(command):
            return host.Result(1, "", "it was made to fail")
        if command[0] == "systemctl":
            return self.systemctl(*[word for word in command[1:] if not word.endswith(".service")])
        return self.execute(*command)

    def execute(self, *command: str) -> host.Result:
        program = ["ip", "netns", "exec", self.namespace, *command]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        return host.Result(done.returncode, done.stdout, done.stderr)

    def systemctl(self, verb: str, *options: str) -> host.Result:
        if verb == "show":
            unit = f"UnitFileState={'enabled' if self.enabled else ''}\nActiveState={'active' if self.active else ''}\n"
            return host.Result(0, f"{unit}\n{unit}", "")
        if verb in ("reenable", "disable"):
            self.enabled = verb == "reenable"
        if verb == "stop" or "--now" in options:
            self.execute("nft", "delete", "table", "inet", "mailops_ovh_iplb")
            self.active = False
        if verb == "reload-or-restart":
            loaded = self.execute("nft", "-f", guard_host.RULESET_FILE)
            self.active = loaded.code == 0
            return loaded
        return host.Result(0, "", "")

    def task(self, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        with module_arguments(arguments), pytest.raises(SystemExit), captured() as output:
            port_guard.main()
        result: dict[str, Any] = json.loads(output[0])
        return result

    def guard(self, **options: Any) -> dict[str, Any]:
        result = self.task(**options)
        assert not result.get("failed"), result["msg"]
        return result

    def refuse(self, **options: Any) -> str:
        before = self.everything()
        result = self.task(**options)
        assert result.get("failed"), result
        assert self.everything() == before
        return str(result["msg"])

    def everything(self) -> Any:
        files = {path.name: path.read_text() for path in sorted(self.directory.iterdir())}
        return files, self.execute("nft", "list", "ruleset").out, self.enabled, self.active

    def guarded(self) -> dict[str, set[str]]:
        """The load balancers of each port, by what a task that changes nothing says."""
        shares: dict[str, set[str]] = {}
        for entry in self.guard(ports=[], check=True)["ports"]:
            shares.setdefault(entry["port"], set()).add(entry["load_balancer"])
        return shares


@contextmanager
def captured() -> Iterator[list[str]]:
    output: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda text, **_options: output.append(text))
        yield output


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def start(namespace: str, program: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", program]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[str, str]]:
    """The namespaces of the host, which listens, and of its clients."""
    ours, theirs = (f"guard-{name}-{os.getpid()}" for name in ("host", "out"))
    listener = None
    try:
        for namespace in (ours, theirs):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", ours, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", theirs)
        for namespace, addresses in ((ours, [SERVER]), (theirs, [BALANCER, STRANGER])):
            for address in addresses:
                ip("-n", namespace, "address", "add", f"{address}/24", "dev", "wire")
            ip("-n", namespace, "link", "set", "wire", "up")
        listener = start(ours, LISTEN)
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        yield ours, theirs
    finally:
        if listener:
            listener.kill()
            listener.wait()
        for namespace in (ours, theirs):
            subprocess.run(["ip", "netns", "delete", namespace], check=False)


@pytest.fixture
def machine(network: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(network[0], tmp_path)
    files = [str(tmp_path / name) for name in ("guard.nft", "first.service", "second.service")]
    for name, value in {
        "RULESET_FILE": files[0],
        "UNIT_FILES": tuple(files[1:]),
        "FILES": tuple(files),
        "JOURNAL": f"{files[0]}.before",
        "run": made.run,
        "has_systemd": lambda: True,
    }.items():
        monkeypatch.setattr(guard_host, name, value)
    yield made
    made.execute("nft", "flush", "ruleset")


class Attempts:
    """What the clients saw until now."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[tuple[float, float, str, int, bool]] = []
        # All the time: a client whose output nobody reads would stop trying.
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # The end cuts the last line off.
            if not line.endswith("\n"):
                return
            begun, ended, source, port, came_in = line.split()
            self.seen.append((float(begun), float(ended), source, int(port), came_in == "1"))

    def wait(self) -> None:
        """Until two rounds have begun after now."""
        now, wanted = time.monotonic(), 2 * 2 * len(PORTS)

        def came() -> bool:
            assert self.process.poll() is None
            return sum(begun > now for begun, *_rest in self.seen[-wanted:]) == wanted

        eventually(came, "the clients did not go on")

    def came_in(self, source: str, since: float, until: float) -> dict[int, set[bool]]:
        """By port, what happened to attempts that lie within."""
        outcomes: dict[int, set[bool]] = {port: set() for port in PORTS}
        for begun, ended, by, port, came_in in list(self.seen):
            if by == source and since <= begun and ended <= until:
                outcomes[port].add(came_in)
        return outcomes


@pytest.fixture
def attempts(network: tuple[str, str]) -> Iterator[Attempts]:
    process = start(network[1], TRY)
    made = Attempts(process)
    try:
        yield made
    finally:
        process.kill()
        process.wait()
        made.reader.join()


def entry(port: int, state: str = "present") -> dict[str, Any]:
    return {"port": str(port), "state": state}


def test_no_port_is_open_for_a_moment_while_others_come_and_go(machine: Host, attempts: Attempts) -> None:
    guarded: set[int] = set()
    steps: list[tuple[int, str]] = [
        (25, "present"),
        (587, "present"),
        (465, "present"),
        (587, "absent"),
        (587, "present"),
        (465, "absent"),
        (25, "absent"),
        (25, "present"),
        (465, "present"),
    ]
    for port, state in steps:
        begun = time.monotonic()
        machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(port, state)], allow_cutover=True)
        after = guarded | {port} if state == "present" else guarded - {port}
        ended = time.monotonic()
        attempts.wait()
        during = attempts.came_in(STRANGER, begun, time.monotonic())
        settled = attempts.came_in(STRANGER, ended, time.monotonic())
        for each in PORTS:
            if each in guarded & after:
                assert during[each] == {False}, (port, state, each)
            if each not in guarded | after:
                assert during[each] == {True}, (port, state, each)
            assert settled[each] == {each not in after}, (port, state, each)
        guarded = after
    assert attempts.came_in(BALANCER, 0, time.monotonic()) == {port: {True} for port in PORTS}


def test_the_table_of_an_older_version_is_replaced_without_a_gap(machine: Host, attempts: Attempts) -> None:
    Path(guard_host.RULESET_FILE).write_text(OLD_VERSION)
    assert machine.systemctl("reload-or-restart").code == 0
    begun = time.monotonic()
    result = machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25)])
    assert result["existed"]
    assert result["changed"]
    assert not machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25)])["changed"]
    attempts.wait()
    seen = attempts.came_in(STRANGER, begun, time.monotonic())
    assert seen == {25: {False}, 465: {True}, 587: {True}}
    assert machine.guarded() == {"25": {ONE}}


def test_a_task_of_one_port_as_before_leaves_the_others_alone(machine: Host) -> None:
    machine.guard(port="smtp", sources=[BALANCER])
    machine.guard(port="587", sources=[BALANCER])
    assert machine.guarded() == {"25": {""}, "587": {""}}
    assert not machine.guard(sources=[BALANCER])["changed"]
    machine.guard(port="587", state="absent")
    assert machine.guarded() == {"25": {""}}
    result = machine.guard(state="absent")
    assert result["changed"]
    assert machine.everything()[:2] == ({}, "")
    assert not machine.guard(state="absent")["changed"]


def test_two_load_balancers_before_one_host_do_not_undo_each_other(machine: Host) -> None:
    one = {"load_balancer": ONE, "sources": ["192.0.2.20"], "ports": [entry(25), entry(587)]}
    two = {"load_balancer": TWO, "sources": ["192.0.2.30"], "ports": [entry(25)]}
    machine.guard(**one)
    assert machine.guard(**two)["changed"]
    assert not machine.guard(**one)["changed"]
    assert not machine.guard(**two)["changed"]
    machine.guard(load_balancer=ONE, ports=[entry(25, "absent")])
    assert machine.guarded() == {"25": {TWO}, "587": {ONE}}


def test_a_port_that_a_run_does_not_name_goes_on_following_the_load_balancer(machine: Host) -> None:
    machine.guard(load_balancer=ONE, sources=["192.0.2.30"], ports=[entry(25), entry(587)])
    result = machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25)])
    assert [(each["port"], each["sources"]) for each in result["ports"]] == [
        ("25", [f"{BALANCER}/32"]),
        ("587", [f"{BALANCER}/32"]),
    ]


def test_users_of_a_new_port_are_not_locked_out_in_silence(machine: Host, network: tuple[str, str]) -> None:
    machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25)], allow_cutover=True)
    stay = (
        "import socket, time; s = socket.create_server(('192.0.2.1', {0})); print(1, flush=True);"
        "c = s.accept()[0]; time.sleep(600)"
    )
    call = (
        "import socket, time; c = socket.create_connection(('192.0.2.1', {0})); print(1, flush=True); time.sleep(600)"
    )
    started = []
    try:
        for port in (2525, 2587):
            for namespace, program in ((network[0], stay), (network[1], call)):
                process = start(namespace, program.format(port))
                started.append(process)
                assert process.stdout is not None
                assert process.stdout.readline() == "1\n"
        new = {"load_balancer": ONE, "sources": ["192.0.2.77"], "ports": [entry(25), entry(2525), entry(2587)]}
        message = machine.refuse(**new)
        assert all(text in message for text in ("port 2525 is used by", "port 2587 is used by", "allow_cutover"))
        assert "port 25 " not in message
        assert machine.guard(**new, allow_cutover=True)["changed"]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ports": [{"port": "25"}]}, "sources is missing: say who may connect to port 25"),
        ({"ports": [{"port": "25", "sources": []}]}, "sources of port 25 is empty"),
        ({"ports": [entry(25), {"port": "smpt"}], "sources": [BALANCER]}, "port: 'smpt'"),
        ({"ports": [entry(25), {"port": "smtp"}], "sources": [BALANCER]}, "25 is named twice"),
        ({"ports": [entry(25), entry(25, "absent")], "sources": [BALANCER]}, "25 is named twice"),
        ({"ports": [entry(25), {"port": "587", "sources": ["0.0.0.0/0"]}], "sources": [BALANCER]}, "everybody"),
        ({"ports": [entry(25)], "sources": []}, "sources is empty"),
        ({"ports": [entry(25)], "state": "absent"}, "state: absent is about the whole guard"),
        ({"ports": [entry(25)], "port": "25", "sources": [BALANCER]}, "mutually exclusive"),
    ],
)
def test_all_is_judged_before_anything_changes(machine: Host, options: dict[str, Any], says: str) -> None:
    machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(465)])
    assert says in machine.refuse(**options)


def test_an_empty_list_removes_nothing(machine: Host) -> None:
    machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25), entry(587)])
    assert not machine.guard(ports=[])["changed"]
    assert not machine.guard(ports=[], load_balancer=TWO, sources=[STRANGER])["changed"]
    assert machine.guarded() == {"25": {ONE}, "587": {ONE}}


def test_check_mode_says_what_would_come_and_writes_nothing(machine: Host) -> None:
    machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25)])
    before = machine.everything()
    result = machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(587)], check=True)
    assert result["changed"]
    assert "tcp dport 587" in result["diff"][0]["after"]
    assert machine.everything() == before
    done = machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(587)])
    assert {key: value for key, value in done.items() if key != "invocation"} == {
        key: value for key, value in result.items() if key != "invocation"
    }


def test_what_is_returned_leads_back(machine: Host) -> None:
    machine.guard(port="25", sources=[BALANCER])
    before = machine.everything()
    changed = machine.guard(load_balancer=ONE, sources=["192.0.2.30"], ports=[entry(25), entry(587)])
    assert machine.guard(ports=changed["previous"])["changed"]
    assert machine.everything() == before
    machine.guard(state="absent")
    first = machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25), entry(587)])
    machine.guard(ports=first["previous"])
    assert machine.everything()[:2] == ({}, "")


def test_a_table_that_was_flushed_by_hand_comes_back_with_all_its_ports(machine: Host) -> None:
    machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25), entry(587)])
    before = machine.everything()
    machine.execute("nft", "flush", "ruleset")
    assert machine.guard(load_balancer=ONE, sources=[BALANCER], ports=[entry(25)])["changed"]
    assert machine.everything() == before


@pytest.mark.parametrize(
    "by_hand",
    [
        "add chain inet mailops_ovh_iplb extra",
        "add set inet mailops_ovh_iplb extra { type ipv4_addr; }",
        "add chain inet mailops_ovh_iplb input { policy drop; }",
        "insert rule inet mailops_ovh_iplb input accept",
        "flush chain inet mailops_ovh_iplb input",
        "delete table inet mailops_ovh_iplb",
        "add table inet mailops_ovh_iplb { flags dormant; }",
    ],
)
def test_what_somebody_changed_in_the_table_is_corrected(machine: Host, by_hand: str) -> None:
    task = {"load_balancer": ONE, "sources": [BALANCER], "ports": [entry(25)]}
    machine.guard(**task)
    before = machine.everything()
    assert machine.execute("nft", by_hand).code == 0
    assert machine.guard(**task)["changed"]
    assert machine.everything() == before


CHANGES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "the first port": ([], [entry(25)]),
    "one more": ([entry(25)], [entry(587)]),
    "one less": ([entry(25), entry(587)], [entry(587, "absent")]),
    "one for another": ([entry(25)], [entry(25, "absent"), entry(587)]),
    "none left": ([entry(25)], [entry(25, "absent")]),
}


@pytest.mark.parametrize("command", ["--check", "daemon-reload", "reenable"])
@pytest.mark.parametrize("change", [change for change in CHANGES if change != "none left"])
def test_after_a_failure_the_previous_set_is_back(machine: Host, change: str, command: str) -> None:
    first, second = CHANGES[change]
    machine.guard(load_balancer=ONE, sources=[BALANCER], ports=first)
    failures = [True]
    machine.fail = lambda words: command in words and bool(failures) and failures.pop()
    assert "it was made to fail" in machine.refuse(load_balancer=ONE, sources=[BALANCER], ports=second)
    assert machine.guard(load_balancer=ONE, sources=[BALANCER], ports=second)["changed"]


def at_step(number: int) -> Callable[[tuple[str, ...]], bool]:
    steps = iter(range(1, 100))
    return lambda command: next(steps) == number


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_kill_at_any_step_the_previous_set_returns_or_the_change_is_finished(
    machine: Host, attempts: Attempts, change: str
) -> None:
    first, second = CHANGES[change]
    options: dict[str, Any] = {"load_balancer": ONE, "sources": [BALANCER], "allow_cutover": True}
    machine.guard(**options, ports=first)
    before = machine.everything()
    gone = {each["port"] for each in second if each["state"] == "absent"}
    kept = {int(each["port"]) for each in first if each["port"] not in gone}
    for step in range(1, 30):
        machine.kill_before = at_step(step)
        begun = time.monotonic()
        try:
            machine.task(**options, ports=second)
        except Killed:
            machine.kill_before = lambda command: False
        else:
            break
        attempts.wait()
        seen = attempts.came_in(STRANGER, begun, time.monotonic())
        assert all(seen[port] == {False} for port in kept), step
        machine.guard(ports=[], allow_cutover=True)
        assert machine.everything() == before, step
    assert step > 3
    machine.kill_before = lambda command: False
    assert not machine.guard(**options, ports=second)["changed"]
