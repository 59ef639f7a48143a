# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Postfix's commands and files on this host. Private to the collection.

Nothing is decided here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.lines import parameters
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    EFFECTIVE,
    FILE_NAMES,
    MAIN,
    MASTER,
    PostfixError,
    Settings,
    parse_settings,
    with_files,
)

PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"
COMMAND_TIMEOUT = 300.0
LOCK_TIMEOUT = 120.0


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
        # AnsibleModule.run_command gives a program no terminal, no descriptor to read from and no session of its own.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            env=environment,
            input=text.encode("utf-8", "surrogateescape") if stdin is None else None,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=screen.theirs if screen else subprocess.PIPE,
            timeout=timeout,
            check=False,
            start_new_session=True,
        )
        return Result(done.returncode, _text(done.stdout), screen.text() if screen else _text(done.stderr))
    except subprocess.TimeoutExpired:
        return Result(None, "", f"no end after {timeout:g} seconds")
    finally:
        if screen:
            screen.close()


def _text(output: bytes) -> str:
    """Every byte as it is: a carriage return within a value is no end of a line."""
    return output.decode("utf-8", "surrogateescape")


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
        raise PostfixError(f"{' '.join(command)} failed: {failure_reason(result.err)}")
    return result


def failure_reason(err: str) -> str:
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


def refuse_fixed(path: str) -> None:
    """Refuse to replace a file that nothing can take the place of, not even root."""
    if os.path.realpath(path) in _mount_points():
        raise PostfixError(
            f"{path} is a mount point, as of a container's volume, and no file can take its place: mount its directory "
            "instead, or change the file where it comes from. Nothing was written"
        )
    if _is_immutable(path):
        raise PostfixError(f"{path} is immutable: take that away with chattr -i -a {path}. Nothing was written")
    if not os.access(os.path.dirname(path), os.W_OK):
        raise PostfixError(
            f"{os.path.dirname(path)} can not be written: run as root (become: true), on a file system that is not "
            "mounted read-only. Nothing was written"
        )


def _mount_points() -> set[str]:
    """Of this process: proc_pid_mountinfo(5). On overlayfs the devices of a file and its directory differ anyway."""
    try:
        lines = read_text("/proc/self/mountinfo").splitlines()
    except OSError:
        return set()
    return {re.sub(r"\\([0-7]{3})", lambda escaped: chr(int(escaped[1], 8)), line.split(" ")[4]) for line in lines}


_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS
_FIXED = 0x10 | 0x20  # FS_IMMUTABLE_FL and FS_APPEND_FL: ioctl_iflags(2)


def _is_immutable(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            flags = fcntl.ioctl(file, _GET_FLAGS, bytes(8))
    except OSError:
        return False  # a file system without such flags
    return bool(int.from_bytes(flags[:4], sys.byteorder) & _FIXED)


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
    write_files(copy, {MAIN: main, MASTER: master})


def write_files(copy: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        write_text(os.path.join(copy, name), text, 0o644)


def read_files(directory: str) -> dict[str, str]:
    return {name: read_text(os.path.join(directory, name)) for name in (MAIN, MASTER)}


def read_settings(directory: str) -> Settings:
    main = must("postconf", "-n", directory=directory)
    effective = run("postconf", "-x", *EFFECTIVE, directory=directory)
    settings = parse_settings(
        main=main.out,
        master=must("postconf", "-M", directory=directory).out,
        overrides=must("postconf", "-P", directory=directory).out,
        expanded=must("postconf", "-Px", directory=directory).out,
        effective=effective.out,
        warnings=main.err,
        directory=directory,
        unused=parameters(read_text(os.path.join(directory, MAIN))),
    )
    values = [settings.effective.get("mynetworks", "")]
    values += [value for (_service, name), value in settings.expanded.items() if name == "mynetworks"]
    return replace(settings, listed={path: text for value in values for path, text in _listed(value).items()})


def _listed(value: str, depth: int = 0) -> dict[str, str]:
    """What the files of a list hold, by path, those in them included. What can not be read is left out."""
    found = {}
    for path in FILE_NAMES.findall(value) if depth < 5 else ():
        with contextlib.suppress(OSError):
            said = " ".join(line for line in read_text(path).splitlines() if not line.lstrip().startswith("#"))
            found[path] = with_files(said, _listed(said, depth + 1))
    return found
