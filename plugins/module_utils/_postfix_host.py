# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Postfix on this host: its commands, files and processes. Private to the collection.

Nothing is decided here: ``_postfix`` decides, ``_postfix_transaction`` puts the steps in order.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import (
    EFFECTIVE,
    MAIN,
    MASTER,
    Endpoint,
    PostfixError,
    Settings,
    Stamp,
    meaning_digest,
    parse_settings,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix_preflight import Surroundings, local_senders
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._smtp import greeting, refusal

PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"
COMMAND_TIMEOUT = 300.0
LOCK_TIMEOUT = 120.0
STAMP_NAME = "mailops.ovh_iplb.applied"
PREVIOUS_PREFIX = ".mailops.ovh_iplb.previous."


@dataclass(frozen=True)
class Result:
    code: int | None
    """None: it was still running when the time was over."""
    out: str
    err: str


def run(
    *command: str,
    directory: str | None = None,
    text: str = "",
    timeout: float = COMMAND_TIMEOUT,
    terminal: bool = False,
    stdin: int | None = None,
) -> Result:
    """Run a command, for the Postfix instance of ``directory`` if given.

    It gets a session of its own, so a hang-up of the connection that started this run does not reach it.
    ``terminal`` makes stderr a terminal: postfix(1) says why it fails there, and otherwise only in the mail log.
    ``stdin`` is a descriptor to read from instead of ``text``.
    """
    environment = {**os.environ, "LC_ALL": "C", "PATH": PATH}
    if directory:
        environment["MAIL_CONFIG"] = directory
    screen = _Terminal() if terminal else None
    try:
        done = subprocess.run(
            command,
            env=environment,
            input=text if stdin is None else None,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=screen.theirs if screen else subprocess.PIPE,
            timeout=timeout,
            check=False,
            start_new_session=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        return Result(done.returncode, done.stdout, screen.text() if screen else done.stderr)
    except subprocess.TimeoutExpired:
        return Result(None, "", f"no end after {timeout:g} seconds")
    finally:
        if screen:
            screen.close()


class _Terminal:
    """A terminal for a program to write to. It is read meanwhile: it holds few kB, and a full one stops the program."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self._written = bytearray()
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # Not until the other end is closed: a daemon that the program started may keep it.
        while True:
            if select.select([self._ours], [], [], 0.05)[0]:
                self._written += os.read(self._ours, 65536)
            elif self._ended.is_set():
                return

    def text(self) -> str:
        """What was written until now; nothing is read after it."""
        self._ended.set()
        self._reader.join()
        return self._written.decode("utf-8", "replace")

    def close(self) -> None:
        self.text()
        os.close(self._ours)
        os.close(self.theirs)


def must(*command: str, directory: str | None = None) -> Result:
    result = run(*command, directory=directory)
    if result.code != 0:
        raise PostfixError(f"{' '.join(command)} failed: {_reason(result.err)}")
    return result


def _reason(err: str) -> str:
    """The lines of a Postfix command's stderr that say why it failed."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    fatal = [line for line in lines if "fatal:" in line or "error:" in line]
    return "; ".join(fatal or lines) or "no reason given, see the mail log"


def is_installed() -> bool:
    return shutil.which("postconf", path=PATH) is not None


def default_directory() -> str:
    return must("postconf", "-dh", "config_directory").out.strip()


def known_names(directory: str) -> list[str]:
    """Every parameter of this Postfix."""
    lines = run("postconf", directory=directory).out.splitlines()
    return [line.partition(" =")[0] for line in lines if line]


# Files ---------------------------------------------------------------------------------------------------------------


def check_file(path: str) -> None:
    """Refuse a configuration file that can not be read and replaced as a plain file."""
    try:
        mode = os.lstat(path).st_mode
        with open(path, "rb"):
            pass
    except FileNotFoundError as error:
        raise PostfixError(
            f"{path} does not exist: configure Postfix first (on Debian: dpkg-reconfigure postfix)"
        ) from error
    except OSError as error:
        raise PostfixError(f"{path} can not be read: {error.strerror}; run as root (become: true)") from error
    if stat.S_ISLNK(mode):
        raise PostfixError(
            f"{path} is a symbolic link to {os.path.realpath(path)}: replacing it would cut the link. Put a plain file "
            "there, or name the directory it points into with config_directory"
        )
    if not stat.S_ISREG(mode):
        raise PostfixError(f"{path} is not a regular file: replace it by one")


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def write_text(path: str, text: str, mode: int = 0o600, like: str | None = None) -> None:
    """Replace a file at once, and durably, with owner, mode and attributes (ACL, SELinux) of the one before.

    :param mode: where there was none before.
    :param like: another file to take all these from.
    """
    like = like or path
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".ansible-", dir=directory)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            if os.path.exists(like):
                before = os.stat(like)
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                shutil.copystat(like, temporary)
            else:
                os.fchmod(file.fileno(), mode)
            settle(temporary)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_directory(directory)


def settle(path: str) -> None:
    """Date a complete file back by two seconds.

    Every Postfix program waits until main.cf has not been modified for that long, lest it reads half of it.
    """
    moment = time.time() - 2
    os.utime(path, (moment, moment))


def edit_copy(copy: str, *arguments: str) -> None:
    must("postconf", *arguments, directory=copy)
    for name in (MAIN, MASTER):
        settle(os.path.join(copy, name))


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sync_directory(os.path.dirname(path))


def sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(directory: str, exclusive: bool) -> Iterator[int]:
    """Keep other runs away from a configuration directory; a check-mode run only waits for a writing one.

    Yields the descriptor, with which another process can hold the lock too.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    deadline = time.monotonic() + LOCK_TIMEOUT
    try:
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PostfixError(
                        f"another run has been changing {directory} for {LOCK_TIMEOUT:g} seconds: try again later"
                    ) from None
                time.sleep(0.2)
        yield descriptor
    finally:
        os.close(descriptor)


def fill_copy(directory: str, copy: str, main: str, master: str) -> None:
    """Make ``copy`` a configuration directory of its own with these two files; the rest are links to the real ones."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name not in (MAIN, MASTER) and not entry.name.startswith("."):
                os.symlink(entry.path, os.path.join(copy, entry.name))
    for name, text in ((MAIN, main), (MASTER, master)):
        write_text(os.path.join(copy, name), text, 0o644)


# Reading -------------------------------------------------------------------------------------------------------------


def read_settings(directory: str) -> Settings:
    main = must("postconf", "-n", directory=directory)
    effective = run("postconf", "-x", *EFFECTIVE, directory=directory)
    return parse_settings(
        main=main.out,
        master=must("postconf", "-M", directory=directory).out,
        overrides=must("postconf", "-P", directory=directory).out,
        expanded=must("postconf", "-Px", directory=directory).out,
        effective=effective.out,
        warnings=main.err,
        directory=directory,
    )


def is_own_address(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


# Around a listener ---------------------------------------------------------------------------------------------------

_MAIL_LOGS = ("/var/log/mail.log", "/var/log/maillog")
_LOG_END = 4 * 1024 * 1024


def surroundings(settings: Settings, service: str) -> Surroundings:
    """What can be seen of who uses a service that is to expect PROXY headers; little without ss(8) and a mail log."""
    port = port_number(service.rsplit("/", 1)[0].rpartition(":")[2])
    local = _output("ss", "-Htnp", "state", "established", f"( dport = :{port} ) and ( dst 127.0.0.0/8 or dst [::1] )")
    program = f"{settings.value(service, 'syslog_name') or 'postfix'}/smtpd"
    addresses = _output("ip", "-oneline", "address", "show", "scope", "global")
    return Surroundings(
        sessions=_output("ss", "-Htn", "state", "established", f"( sport = :{port} )"),
        own_addresses=tuple(re.findall(r" inet6? ([^/ ]+)", addresses)),
        local_senders=local_senders(_mail_log(program), program, local),
    )


def _output(*command: str) -> str:
    return run(*command).out if shutil.which(command[0], path=PATH) else ""


def _mail_log(program: str) -> str:
    """The end of the mail log, from its file or from the journal."""
    for path in _MAIL_LOGS:
        if os.path.exists(path):
            with open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - _LOG_END))
                return file.read().decode("utf-8", "replace")
    return _output("journalctl", "--quiet", "--output=short", "--lines=20000", f"--identifier={program}")


# Processes -----------------------------------------------------------------------------------------------------------


# One command of its own session: once it runs, nothing that happens to this process leaves Postfix stopped. Arguments
# are the directory, the prefix of the previous files, and the systemd unit if there is one. Its stdin is the lock,
# which Postfix must not inherit.
_RESTART = """\
restart() {
    [ -n "$2" ] || { postfix -c "$0" stop; postfix -c "$0" start; return; }
    systemctl reset-failed "$2"  # or systemd refuses after a few restarts in a row
    systemctl restart "$2"
}
restart "$@" < /dev/null
code=$?
cd "$0" || exit
if [ ! -e "$1main.cf" ] || postfix -c "$0" status < /dev/null > /dev/null 2>&1; then exit $code; fi
mv -f "$1main.cf" main.cf && mv -f "$1master.cf" master.cf
restart "$@" < /dev/null 2> /dev/null
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
        command = ("sh", "-c", _RESTART, self.directory, PREVIOUS_PREFIX, self._unit() or "")
        result = run(*command, terminal=True, stdin=lock)
        self.forget_previous()
        if result.code != 0:
            raise PostfixError(f"Postfix did not restart: {_reason(result.err)}")

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


# Trying out ----------------------------------------------------------------------------------------------------------


def check_directory(directory: str) -> str | None:
    """What ``postfix check`` has against a configuration directory."""
    result = run("postfix", "-c", directory, "check", directory=directory, terminal=True)
    return None if result.code == 0 else _reason(result.err)


# Not the bare <postmaster>: Postfix takes that without looking at any restriction.
_TRIAL = "EHLO localhost\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster@{hostname}>\r\nQUIT\r\n"
# The trial must reach the restrictions, and must reach nobody else: no PROXY header, no permission by address, no
# milters, no notices to the postmaster, no TLS, and all commands in one go.
_TRIAL_OVERRIDES = {
    "smtpd_upstream_proxy_protocol": "",
    "syslog_name": "postfix/trial",
    "mynetworks": "",
    "smtpd_milters": "",
    "notify_classes": "",
    "smtpd_tls_wrappermode": "no",
    "smtpd_forbid_unauth_pipelining": "no",
}


def try_smtpd(settings: Settings, directory: str, overrides: Mapping[str, str], running: bool) -> str | None:
    """What is wrong when smtpd itself reads a configuration, or None.

    smtpd ends at once on a bad number, time, boolean or an impossible restriction list, and answers 451 4.3.x where it
    stumbles over an unknown restriction or a missing table. "-S -u": standalone on stdin, with the rights and the
    restrictions of a network client. Without a running Postfix it starts, and then waits for its helpers in vain.
    """
    options = [f"-o{name}={value}" for name, value in {**overrides, **_TRIAL_OVERRIDES}.items()]
    smtpd = os.path.join(settings.effective["daemon_directory"], "smtpd")
    text = _TRIAL.format(hostname=settings.effective["myhostname"])
    result = run(smtpd, "-S", "-u", *options, directory=directory, text=text, timeout=15 if running else 3)
    if result.code not in (0, None):
        return "smtpd does not start with it"
    answers = [line for line in result.out.splitlines() if line.startswith(("451 4.3.0", "451 4.3.5"))]
    return f"smtpd answers {answers[0]}" if answers else None


def port_number(port: str) -> int:
    try:
        return int(port) if port.isdigit() else socket.getservbyname(port, "tcp")
    except OSError as error:
        raise PostfixError(f"{port} is not a port number and no service name of /etc/services") from error


def is_port_taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def endpoint_problem(endpoint: Endpoint, timeout: float = 15.0) -> str | None:
    """What a conversation finds wrong with a listener: 220 expected, and 421 too where it must see a header first."""
    port = port_number(endpoint.port)
    header = "v1" if endpoint.proxied else "none"
    code, text = greeting(endpoint.address, port, header, endpoint.implicit_tls, timeout)
    if code != 220:
        with_header = " to a PROXY header" if endpoint.proxied else ""
        return (
            f"{endpoint.service} ({endpoint.address} port {port}) answers {text or 'nothing'!r}{with_header}, not 220"
        )
    if not endpoint.proxied:
        return None
    code, text = refusal(endpoint.address, port, timeout)
    if code != 421:
        return (
            f"{endpoint.service} ({endpoint.address} port {port}) answers {text!r} to a client without a PROXY header"
        )
    return None


def problems(endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """By service, what is wrong with each listener that does not answer as it should."""
    found = {endpoint.service: endpoint_problem(endpoint) for endpoint in endpoints}
    return {service: problem for service, problem in found.items() if problem}
