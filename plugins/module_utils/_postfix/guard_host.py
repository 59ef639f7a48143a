# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard on this host: its table, its file and its systemd unit. Private to the collection.

What they must say is decided in ``guard``.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import guard as guards
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import (
    AGAIN_UNIT,
    TABLE,
    UNIT,
    Guard,
    GuardError,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.host import (
    PATH,
    read_text,
    remove,
    run,
    write_text,
)

RULESET_FILE = "/etc/mailops-ovh-iplb.nft"
UNIT_DIRECTORY = "/etc/systemd/system"
UNITS = (UNIT, AGAIN_UNIT)
UNIT_FILES = tuple(os.path.join(UNIT_DIRECTORY, name) for name in UNITS)
FILES = (RULESET_FILE, *UNIT_FILES)
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


def read_state() -> State:
    units = _show_units() if has_systemd() else []
    return State(
        files={path: read_text(path) if os.path.exists(path) else None for path in FILES},
        listing=_list_table("-j"),
        enabled=bool(units) and all("UnitFileState=enabled" in unit for unit in units),
        active=bool(units) and "ActiveState=active" in units[0],
        outdated=any("NeedDaemonReload=yes" in unit for unit in units),
    )


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
    program = nft() or "/usr/sbin/nft"
    units = (guards.unit(program, RULESET_FILE), guards.again_unit(program, RULESET_FILE))
    return {RULESET_FILE: guards.ruleset(guard), **dict(zip(UNIT_FILES, units))}


def is_present(state: State, guard: Guard) -> bool:
    return (
        state.files == wanted_files(guard)
        and guards.is_in_place(state.listing, guard)
        and state.enabled
        and state.active
        and not state.outdated
    )


def live_outsiders(guard: Guard) -> list[str]:
    """Who has a session on the port now that the guard would have refused. Nobody can be named without ss(8)."""
    if shutil.which("ss", path=PATH) is None:
        return []
    result = run("ss", "-Htn", "state", "established", f"( sport = :{guard.port} )")
    return guards.outsiders(result.out, guard.networks) if result.code == 0 else []


def put_up(guard: Guard, before: State) -> None:
    """Load the guard now and at every boot. On any failure everything is as it was before."""
    _check(guard)
    try:
        _write(wanted_files(guard))
        _systemctl("daemon-reload")
        _systemctl("reenable", *UNITS)
        _systemctl("reload-or-restart", UNIT)
        after = read_state()
        if not is_present(after, guard):
            raise GuardError(f"{UNIT} was loaded, but nftables does not hold what it says:\n{table_text()}")
    except (GuardError, OSError) as error:
        raise GuardError(f"{error}. {_put_back(before)}") from error


def take_down(before: State) -> None:
    """Remove the guard: table, unit and file."""
    present = [name for name, path in zip(UNITS, UNIT_FILES) if before.files[path] is not None]
    if present and has_systemd():
        _systemctl("disable", "--now", *present)
    _write(dict.fromkeys(FILES))
    if has_systemd():
        _systemctl("daemon-reload")
    if _list_table() is not None:
        _nft("delete", "table", "inet", TABLE)


def _check(guard: Guard) -> None:
    """Have nft and the kernel judge the rules, without loading them."""
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(guards.ruleset(guard))
        file.flush()
        _nft("--check", "--file", file.name)


def _put_back(before: State) -> str:
    try:
        if not before.enabled:
            _systemctl("disable", *UNITS, check=False)
        _write(before.files)
        _systemctl("daemon-reload")
        if before.active:
            _systemctl("reload-or-restart", UNIT)
        else:
            _systemctl("stop", UNIT, check=False)
            _systemctl("reset-failed", UNIT, check=False)
        if before.listing is None and _list_table() is not None:
            _nft("delete", "table", "inet", TABLE)
    except (GuardError, OSError) as error:
        return f"The guard of before could not be brought back ({error}); the next run will try again"
    return "The guard is as it was before" if before.exists else "There is no guard, as before"


def _write(files: Files) -> None:
    for path, text in files.items():
        if text is None:
            remove(path)
        elif not os.path.exists(path) or read_text(path) != text:
            write_text(path, text, 0o644)


def _nft(*arguments: str) -> None:
    result = run(nft() or "nft", *arguments)
    if result.code != 0:
        raise GuardError(f"nft {' '.join(arguments)} failed: {_reason(result.err)}")


def _systemctl(*arguments: str, check: bool = True) -> str:
    result = run("systemctl", *arguments)
    if check and result.code != 0:
        raise GuardError(f"systemctl {' '.join(arguments)} failed: {_reason(result.err)}")
    return result.out


def _reason(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip(" ^~\t")]
    return "; ".join(lines[:3]) or "no reason given"
