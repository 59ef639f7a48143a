# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``lab up|down|status|exec|inventory|reboot``."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import cgroups, hosts, image, keys, network, report, simulation
from .layout import CLIENT, DOMAIN, HOSTS_FILE, LOCK, LOGS, MAX_BACKENDS, RELEASES, STATE, Node, backends, nodes
from .state import State
from .system import LabError, install_packages, require_root_on_linux, say


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    # Of an administrator who became root without a login, too.
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    options = _parse()
    try:
        require_root_on_linux()
        options.action(options)
    except LabError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description="Mail hosts and a load balancer on this machine.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    up = actions.add_parser("up", help="build what is missing and boot everything; repairs a lab that is up")
    up.add_argument(
        "--release",
        choices=RELEASES,
        default=os.environ.get("MAILOPS_LAB_RELEASE"),
        help="Debian of the backends (default: MAILOPS_LAB_RELEASE, else bookworm)",
    )
    up.add_argument("--backends", type=_count, metavar="N", help="number of backends (default: 2)")
    up.add_argument("--python", default=sys.executable, help="the interpreter that runs the simulator")
    up.add_argument("--no-simulator", action="store_true", help="leave the balancer without the API")
    up.set_defaults(action=_up)

    down = actions.add_parser("down", help="remove the lab; the image stays in the cache")
    down.set_defaults(action=_down)

    status = actions.add_parser("status", help="show hosts, addresses and the API")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(action=_status)

    execute = actions.add_parser("exec", help="run a command in a host or a namespace")
    execute.add_argument("host")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    execute.set_defaults(action=_exec)

    inventory = actions.add_parser("inventory", help="print an Ansible inventory of the backends")
    inventory.set_defaults(action=_inventory)

    reboot = actions.add_parser("reboot", help="reboot a backend and wait until it is back")
    reboot.add_argument("host")
    reboot.set_defaults(action=_reboot)
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_BACKENDS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_BACKENDS}, not {text!r}")
    return int(text)


def _up(options: argparse.Namespace) -> None:
    with _lock():
        install_packages()
        state = State.load()
        if state is not None and network.exists(nodes(state.backends)):
            _require_same(state, options)
            _boot(state, options)
            return
        _remove()
        try:
            _boot(_prepare(options), options)
        except BaseException:
            say("removing what was set up")
            _remove()
            raise


def _require_same(state: State, options: argparse.Namespace) -> None:
    release, count = options.release or state.release, options.backends or state.backends
    if (release, count) != (state.release, state.backends):
        raise LabError(
            f"a lab with {state.backends} backends of {state.release} is up, not {count} of {release}: "
            "take it down first with `lab down`"
        )


def _prepare(options: argparse.Namespace) -> State:
    """Make all that the hosts share. The state is written last: where it exists, the rest is complete."""
    release, count = options.release or RELEASES[0], options.backends or 2
    root = image.ensure(release)
    for directory in (STATE, LOGS):
        directory.mkdir()
    keys.create(backends(count))
    # The clients are strangers: a host finds no name for them.
    known = [node for node in nodes(count) if node != CLIENT]
    names = [f"{node.addresses[0]} {node.name}.{DOMAIN} {node.name}" for node in known]
    HOSTS_FILE.write_text("\n".join(("127.0.0.1 localhost", "::1 localhost ip6-localhost", *names, "")))
    network.create(nodes(count))
    state = State(release, count, str(root))
    state.save()
    return state


def _boot(state: State, options: argparse.Namespace) -> None:
    started = time.monotonic()
    machines = backends(state.backends)
    processes = [hosts.start(host, Path(state.image)) for host in machines]
    if not options.no_simulator:
        simulation.start(options.python)
    for host, process in zip(machines, processes, strict=True):
        hosts.await_booted(host, process)
    say(f"up with {state.backends} backends of {state.release} after {time.monotonic() - started:.1f} s")


def _down(_options: argparse.Namespace) -> None:
    with _lock():
        say("the lab is down" if _remove() else "there was no lab")


def _remove() -> bool:
    """Remove every trace of a lab, also of one that was half built or half removed."""
    found = network.remove_all() or STATE.exists()
    cgroups.remove()
    shutil.rmtree(STATE, ignore_errors=True)
    image.remove_abandoned()
    return found


def _status(options: argparse.Namespace) -> None:
    status = report.status(State.require())
    print(json.dumps(status, indent=2) if options.json else report.table(status))


def _inventory(_options: argparse.Namespace) -> None:
    print(report.inventory(State.require()), end="")


def _exec(options: argparse.Namespace) -> None:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise LabError("say what to run: lab exec HOST -- COMMAND")
    node = _node(options.host)
    if node.role == "backend":
        hosts.execute(node, *command)
    network.execute(node, *command)


def _reboot(options: argparse.Namespace) -> None:
    host = _node(options.host)
    if host.role != "backend":
        raise LabError(f"{host.name} is a namespace of this machine: only backends reboot")
    hosts.reboot(host)


def _node(name: str) -> Node:
    found = {node.name: node for node in nodes(State.require().backends)}
    if name not in found:
        raise LabError(f"there is no host {name}; there are {', '.join(found)}")
    return found[name]


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """There is one lab on a machine, and one at a time who changes it."""
    with LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LabError(f"another `lab` is at work (process {file.read()}): wait for it to end") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
