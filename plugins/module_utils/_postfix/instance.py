# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One Postfix instance: its processes, and whether they run what its files say. Private to the collection."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.host import (
    default_directory,
    failure_reason,
    must,
    read_text,
    remove,
    run,
    write_text,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.liveness import Stamp, meaning_digest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    MAIN,
    MASTER,
    PostfixError,
    Settings,
)

STAMP_NAME = "mailops.ovh_iplb.applied"
PREVIOUS_PREFIX = ".mailops.ovh_iplb.previous."
# One command of its own session: once it runs, nothing that happens to this process leaves Postfix stopped. Arguments
# are the directory, the prefix of the previous files, the systemd unit if there is one, and the file with the process
# id of master. Its stdin is the lock, which Postfix must not inherit.
# Whoever asks for Postfix's status, as monitoring does, holds Postfix's own lock for a moment: another who asks then
# hears that it runs, and a master that starts then gives up.
_RESTART = """\
restart() {
    [ -n "$2" ] || { postfix -c "$0" stop; postfix -c "$0" start; return; }
    systemctl reset-failed "$2"  # or systemd refuses after a few restarts in a row
    systemctl restart "$2"
}
restart "$@" < /dev/null
code=$?
runs() { { postfix -c "$0" status && kill -0 "$(sed 1q "$3")"; } < /dev/null > /dev/null 2>&1; }
cd "$0" || exit
if [ ! -e "$1main.cf" ] || runs "$@"; then exit $code; fi
mv -f "$1main.cf" main.cf && mv -f "$1master.cf" master.cf
for wait in 0 1 2; do
    sleep $wait
    restart "$@" < /dev/null 2> /dev/null
    if runs "$@"; then break; fi
done
exit 1
"""


@dataclass(frozen=True)
class Instance:
    """One Postfix instance: where its files are and how to reach its master process."""

    directory: str
    daemon_directory: str
    queue_directory: str
    is_default: bool

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    @property
    def pid_file(self) -> str:
        return os.path.join(self.queue_directory, "pid", "master.pid")

    @property
    def stamp_file(self) -> str:
        """Beside master's own pid file: it tells about that process, and goes with it."""
        return os.path.join(self.queue_directory, "pid", STAMP_NAME)

    def is_running(self) -> bool:
        """What ``postfix status`` asks, without its shell script."""
        if not os.path.exists(self.pid_file):
            return False
        return run(os.path.join(self.daemon_directory, "master"), "-t", directory=self.directory).code == 1

    def stamp(self) -> Stamp | None:
        """The identity of the running master and of the files, or None without a master."""
        if not self.is_running():
            return None
        paths = [self.path(name) for name in (MAIN, MASTER)]
        files = [os.stat(path) for path in paths]
        queue_manager = self.queue_manager()
        return Stamp(
            (self.master(), os.stat(self.pid_file).st_mtime_ns),
            tuple((file.st_ino, file.st_ctime_ns) for file in files),
            tuple(meaning_digest(read_text(path)) for path in paths),
            queue_manager,
            _since(queue_manager[1]) if queue_manager else 0,
        )

    def applied(self) -> Stamp | None:
        try:
            data: dict[str, Any] = json.loads(read_text(self.stamp_file))
            return Stamp(
                master=tuple(data["master"]),
                files=tuple(tuple(pair) for pair in data["files"]),
                digests=tuple(data["digests"]),
                queue_manager=tuple(data["queue_manager"]) if data["queue_manager"] else None,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def record(self, stamp: Stamp) -> None:
        data = {name: getattr(stamp, name) for name in ("master", "files", "digests", "queue_manager")}
        write_text(self.stamp_file, json.dumps(data))

    def master(self) -> int:
        """The process id of the running master."""
        return int(read_text(self.pid_file).split()[0])

    def queue_manager(self) -> tuple[int, int] | None:
        """Process id and start of the queue manager, or None where it does not run or can not be seen.

        One that still has root's rights does not count: it gives them up once it has read its parameters, and a bad
        one ends it a second later.
        """
        children: list[str] = []
        with contextlib.suppress(OSError, ValueError):
            master = self.master()
            children = read_text(f"/proc/{master}/task/{master}/children").split()
        for child in children:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                name, ticks = _process(int(child))
                if name == "qmgr" and "\nUid:\t0\t0\t" not in read_text(f"/proc/{child}/status"):
                    return int(child), ticks
        return None

    def _unit(self) -> str | None:
        """The systemd unit that runs this instance, or that would."""
        if not os.path.isdir("/run/systemd/system"):
            return None
        if self.is_running():
            with contextlib.suppress(OSError):
                name = read_text(f"/proc/{self.master()}/cgroup").strip().rpartition("/")[2]
                return name if name.startswith("postfix") and name.endswith(".service") else None
        return "postfix.service" if self.is_default else None

    def reload(self) -> None:
        must("postfix", "-c", self.directory, "reload")

    def restart(self, previous: Mapping[str, str] | None = None, lock: int | None = None) -> None:
        """Restart, or start. Its success proves little: systemd reports it for an instance that failed (Debian).

        :param previous: the files, by name, with which Postfix runs when it does not come up with the present ones.
        :param lock: what ``locked`` gave. The restart holds it too, in case it outlives this process.
        """
        self.forget_previous()
        for name, text in (previous or {}).items():
            write_text(self.path(PREVIOUS_PREFIX + name), text, like=self.path(name))
        command = ("sh", "-c", _RESTART, self.directory, PREVIOUS_PREFIX, self._unit() or "", self.pid_file)
        result = run(*command, terminal=True, stdin=lock)
        self.forget_previous()
        if result.code != 0:
            raise PostfixError(f"Postfix did not restart: {failure_reason(result.err)}")

    def forget_previous(self) -> None:
        for name in (MAIN, MASTER):
            remove(self.path(PREVIOUS_PREFIX + name))

    def stop(self) -> None:
        unit = self._unit()
        if unit:
            must("systemctl", "stop", unit)
        else:
            must("postfix", "-c", self.directory, "stop")


def _process(pid: int) -> tuple[str, int]:
    """The name of a process, and its start in clock ticks after boot: proc(5)."""
    name, _parenthesis, rest = read_text(f"/proc/{pid}/stat").partition("(")[2].rpartition(")")
    return name, int(rest.split()[19])


def _since(ticks: int) -> int:
    """Clock ticks after boot as a time of files (ns)."""
    boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return boot + ticks * 10**9 // os.sysconf("SC_CLK_TCK")


def listens(pid: int, port: int) -> bool:
    """Whether a process holds a listening socket on a TCP port, on whatever address. False where /proc can not tell."""
    sockets: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            rows = [line.split() for line in read_text(table).splitlines()[1:]]
            here = [row for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]
            sockets.update(f"socket:[{row[9]}]" for row in here)
    with contextlib.suppress(OSError):
        return any(os.readlink(entry.path) in sockets for entry in os.scandir(f"/proc/{pid}/fd"))
    return False


def instance(directory: str, settings: Settings) -> Instance:
    return Instance(
        directory,
        settings.effective["daemon_directory"],
        settings.effective["queue_directory"],
        os.path.realpath(directory) == os.path.realpath(default_directory()),
    )
