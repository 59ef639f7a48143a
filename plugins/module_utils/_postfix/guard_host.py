# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard on this host: its table, its file and its systemd unit. Private to the collection.

What they must say is decided in ``guard``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Optional

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard as guards
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard_table as tables
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard_units as units
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import Guard, GuardError
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard_table import TABLE
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard_units import AGAIN_UNIT, UNIT
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.host import (
    PATH,
    locked,
    read_text,
    remove,
    run,
    write_text,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import PostfixError

RULESET_FILE = "/etc/mailops-ovh-iplb.nft"
UNIT_DIRECTORY = "/etc/systemd/system"
UNITS = (UNIT, AGAIN_UNIT)
UNIT_FILES = tuple(os.path.join(UNIT_DIRECTORY, name) for name in UNITS)
FILES = (RULESET_FILE, *UNIT_FILES)
# What there was before a change that has not ended yet. One that is left is of a run that was cut.
JOURNAL = RULESET_FILE + ".before"
Files = Mapping[str, Optional[str]]

"""Texts by path; None where there is no file."""


@dataclass(frozen=True)
class State:
    """What there is of a guard, and how much of it works."""

    files: Files
    listing: str | None
    """The live table as JSON, or None without one."""
    enabled: bool
    active: bool
    outdated: bool
    """systemd has not read the unit as it is."""

    @property
    def exists(self) -> bool:
        return self.listing is not None or any(text is not None for text in self.files.values())

    @property
    def guard(self) -> Guard:
        return tables.recover(self.files[RULESET_FILE], self.listing)


def nft() -> str | None:
    return shutil.which("nft", path=PATH)


def has_systemd() -> bool:
    return os.path.isdir("/run/systemd/system")


def port_number(text: str) -> int:
    """A port from a number or a name of services(5)."""
    if not text.isdigit():
        try:
            return socket.getservbyname(text, "tcp")
        except OSError as error:
            raise GuardError(f"port: {text!r} is neither a number nor a name of /etc/services") from error
    if not 1 <= int(text) <= 65535:
        raise GuardError(f"port: {text} is not between 1 and 65535")
    return int(text)


@contextlib.contextmanager
def alone(check_mode: bool) -> Iterator[None]:
    """Two load balancers' runs on one host take turns."""
    try:
        with locked(os.path.dirname(RULESET_FILE), exclusive=not check_mode):
            yield
    except PostfixError as error:
        raise GuardError(str(error)) from error


def read_state() -> State:
    shown = _show_units() if has_systemd() else []
    return State(
        files={path: read_text(path) if os.path.exists(path) else None for path in FILES},
        listing=_list_table("-j"),
        enabled=bool(shown) and all("UnitFileState=enabled" in unit for unit in shown),
        active=bool(shown) and "ActiveState=active" in shown[0],
        outdated=any("NeedDaemonReload=yes" in unit for unit in shown),
    )


def read_journal() -> State | None:
    """The state before a run that was cut, or None."""
    try:
        return State(**json.loads(read_text(JOURNAL)))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise GuardError(
            f"{JOURNAL} can not be understood: compare {RULESET_FILE} with what is to be, and remove it"
        ) from error


def _show_units() -> list[str]:
    return _systemctl("show", "--property=UnitFileState,ActiveState,NeedDaemonReload", *UNITS).split("\n\n")


def _list_table(*options: str) -> str | None:
    program = nft()
    if program is None:
        return None
    result = run(program, *options, "list", "table", "inet", TABLE)
    if result.code == 0:
        return result.out
    if "No such file or directory" in result.err:
        return None
    raise GuardError(f"nft can not read the tables of this host: {_reason(result.err)}; run as root (become: true)")


def table_text() -> str:
    """The live table for people, or nothing."""
    return _list_table() or ""


def wanted_files(guard: Guard) -> Files:
    if not guard.ports:
        return dict.fromkeys(FILES)
    program = nft() or "/usr/sbin/nft"
    texts = (units.unit(program, RULESET_FILE), units.again_unit(program, RULESET_FILE))
    return {RULESET_FILE: tables.ruleset(guard), **dict(zip(UNIT_FILES, texts))}


def is_present(state: State, guard: Guard) -> bool:
    if not guard.ports:
        return not state.exists
    return (
        state.files == wanted_files(guard)
        and tables.is_in_place(state.listing, guard)
        and state.enabled
        and state.active
        and not state.outdated
    )


def live_outsiders(guard: Guard, port: int) -> list[str]:
    """Who has a session on the port now that the guard would have refused. Nobody can be named without ss(8)."""
    if shutil.which("ss", path=PATH) is None:
        return []
    result = run("ss", "-Htn", "state", "established", f"( sport = :{port} )")
    return guards.outsiders(result.out, guard.networks(port)) if result.code == 0 else []


def change(guard: Guard, before: State) -> None:
    """Load the guard now and at every boot, or remove it where it has no port.

    On any failure everything is as it was before. A run that is cut leaves the journal, from which the next one knows
    what that was.
    """
    if guard.ports:
        _check(guard)
    write_text(JOURNAL, json.dumps(asdict(before)))
    try:
        if guard.ports:
            _put_up(guard)
        else:
            _take_down()
    except (GuardError, OSError) as error:
        raise GuardError(f"{error}. {_put_back(before)}") from error
    forget_journal()


def forget_journal() -> None:
    if os.path.exists(JOURNAL):
        remove(JOURNAL)


def _put_up(guard: Guard) -> None:
    _write(wanted_files(guard))
    _systemctl("daemon-reload")
    _systemctl("reenable", *UNITS)
    _load(guard)
    if not read_state().active:
        _systemctl("reload-or-restart", UNIT)
    if not is_present(read_state(), guard):
        raise GuardError(f"{UNIT} was loaded, but nftables does not hold what it says:\n{table_text()}")


def _load(guard: Guard) -> None:
    _nft_file(tables.new_rules(guard), check=False)
    if not tables.is_in_place(_list_table("-j"), guard):
        # Somebody changed more than rules.
        _nft_file(tables.ruleset(guard))


def _take_down() -> None:
    """Remove table, units and file."""
    present = [name for name, path in zip(UNITS, UNIT_FILES) if os.path.exists(path)]
    if present and has_systemd():
        _systemctl("disable", "--now", *present)
    _write(dict.fromkeys(FILES))
    if has_systemd():
        _systemctl("daemon-reload")
    if _list_table() is not None:
        _nft("delete", "table", "inet", TABLE)


def _check(guard: Guard) -> None:
    """Have nft and the kernel judge the rules, without loading them."""
    _nft_file(tables.ruleset(guard), "--check")


def _nft_file(text: str, *options: str, check: bool = True) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(text)
        file.flush()
        _nft(*options, "--file", file.name, check=check)


def _put_back(before: State) -> str:
    try:
        if not before.enabled and has_systemd():
            _systemctl("disable", *UNITS, check=False)
        _write(before.files)
        if has_systemd():
            _put_units_back(before)
        if before.listing is None and _list_table() is not None:
            _nft("delete", "table", "inet", TABLE)
        forget_journal()
    except (GuardError, OSError) as error:
        return f"The guard of before could not be brought back ({error}); the next run will try again"
    return "The guard is as it was before" if before.exists else "There is no guard, as before"


def _put_units_back(before: State) -> None:
    _systemctl("daemon-reload")
    if before.enabled:
        _systemctl("reenable", *UNITS)
    if before.active:
        _systemctl("reload-or-restart", UNIT)
    else:
        _systemctl("stop", UNIT, check=False)
        _systemctl("reset-failed", UNIT, check=False)


def _write(files: Files) -> None:
    for path, text in files.items():
        if text is None:
            remove(path)
        elif not os.path.exists(path) or read_text(path) != text:
            write_text(path, text, 0o644)


def _nft(*arguments: str, check: bool = True) -> None:
    result = run(nft() or "nft", *arguments)
    if check and result.code != 0:
        raise GuardError(f"nft {' '.join(arguments)} failed: {_reason(result.err)}")


def _systemctl(*arguments: str, check: bool = True) -> str:
    result = run("systemctl", *arguments)
    if check and result.code != 0:
        raise GuardError(f"systemctl {' '.join(arguments)} failed: {_reason(result.err)}")
    return result.out


def _reason(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip(" ^~\t")]
    return "; ".join(lines[:3]) or "no reason given"
