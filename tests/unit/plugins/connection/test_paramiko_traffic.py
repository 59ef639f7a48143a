# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a connection carries: commands, input, output, files; and what becomes of them when it breaks."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from paramiko import SFTPFile

from tools.waiting import eventually
from unit.plugins.connection import commands, sshd
from unit.plugins.connection.conftest import Connect
from unit.plugins.connection.sshd import UID, Sshd, World

LARGE = 32 * 1024 * 1024
ODD_NAMES = ["*?[x]", "with space", 'quo\'te "both"', "$HOME `id` ;&|", "-rf", "ünï-ćode", "line\nbreak", "back\\slash"]
METHODS = ["sftp", "piped"]


@pytest.fixture
def there(server: Sshd, request: pytest.FixtureRequest) -> Path:
    """A directory of alice's."""
    path: Path = server.world.path("alice") / f"{abs(hash(request.node.name)):x}"
    path.mkdir()
    os.chown(path, UID, UID)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_exit_status_output_and_errors_are_told_apart(server: Sshd, connect: Connect, keep_open: int) -> None:
    connection = connect(server, keep_open=keep_open)
    done = connection.exec_command("printf 'out\\0\\377'; echo err >&2; exit 3", sudoable=False)
    assert done == (3, b"out\0\xff", b"err\n")


def test_input_and_output_may_be_large_at_the_same_time(server: Sshd, connect: Connect, keep_open: int) -> None:
    data = os.urandom(4 * 1024 * 1024)
    connection = connect(server, keep_open=keep_open)
    status, output, errors = connection.exec_command("head -c 300000 /dev/zero >&2; cat", in_data=data)
    assert (status, errors) == (0, b"\0" * 300000)
    assert output == data


def test_a_large_output_takes_as_long_as_its_size(server: Sshd, connect: Connect) -> None:
    connection = connect(server)
    connection.exec_command("true", sudoable=False)
    started = time.monotonic()
    output = connection.exec_command(f"head -c {2 * LARGE} /dev/zero", sudoable=False)[1]
    assert len(output) == 2 * LARGE
    assert time.monotonic() - started < 15


def test_a_command_that_is_killed_is_no_connection_that_was_lost(server: Sshd, connect: Connect) -> None:
    connection = connect(server)
    with pytest.raises(AnsibleConnectionFailure, match="ended without a status, as if killed"):
        connection.exec_command("kill -9 $$", sudoable=False)


def test_a_command_that_reads_no_input_is_not_waited_for(server: Sshd, connect: Connect) -> None:
    assert connect(server).exec_command("exit 5", in_data=b"x" * 4_000_000)[0] == 5


def test_without_input_a_command_sees_the_end_of_it(server: Sshd, connect: Connect) -> None:
    assert connect(server).exec_command("cat; echo end", sudoable=False)[1] == b"end\n"


def test_a_terminal_is_there_where_it_is_wanted(server: Sshd, connect: Connect) -> None:
    assert connect(server).exec_command("tty")[1].startswith(b"/dev/pts/")
    assert connect(server, pty=False).exec_command("tty")[1] == b"not a tty\n"
    assert connect(server).exec_command("tty", in_data=b"x")[1] == b"not a tty\n"


def test_a_host_that_gives_no_terminal_is_told_of_with_the_option(
    world: World, connect: Connect, keep_open: int
) -> None:
    with sshd.running(world, "PermitTTY no") as server:
        with pytest.raises(
            AnsibleError, match=r"gives no terminal .*; set pty \(ansible_paramiko_pty\) to false"
        ) as error:
            connect(server, keep_open=keep_open).exec_command("true")
        assert not isinstance(error.value, AnsibleConnectionFailure)
        assert connect(server, keep_open=keep_open, pty=False).exec_command("true")[0] == 0


@pytest.mark.parametrize("method", METHODS)
def test_large_files_are_whole(
    method: str, server: Sshd, connect: Connect, there: Path, tmp_path: Path, keep_open: int
) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(os.urandom(LARGE))
    connection = connect(server, transfer_method=method, keep_open=keep_open)
    connection.put_file(str(here), str(there / "file"))
    assert digest(there / "file") == digest(here)
    connection.fetch_file(str(there / "file"), str(back))
    assert digest(back) == digest(here)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_names(
    method: str, name: str, server: Sshd, connect: Connect, there: Path, tmp_path: Path
) -> None:
    here = tmp_path / name
    here.write_bytes(b"content")
    connection = connect(server, transfer_method=method)
    connection.put_file(str(here), str(there / name))
    assert [path.name for path in there.iterdir()] == [name]
    connection.fetch_file(str(there / name), f"{here}.back")
    assert Path(f"{here}.back").read_bytes() == b"content"


@pytest.mark.parametrize("method", METHODS)
def test_empty_files_and_a_file_that_was_longer(
    method: str, server: Sshd, connect: Connect, there: Path, tmp_path: Path
) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(b"")
    back.write_bytes(b"something longer")
    (there / "file").write_bytes(b"something longer")
    os.chown(there / "file", UID, UID)
    connection = connect(server, transfer_method=method)
    connection.put_file(str(here), str(there / "file"))
    assert (there / "file").read_bytes() == b""
    connection.fetch_file(str(there / "file"), str(back))
    assert back.read_bytes() == b""


def test_a_host_without_sftp_gets_its_files_all_the_same(
    world: World, connect: Connect, there: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(b"content")
    with sshd.running(world, "Subsystem none /bin/false") as bare:
        for _time in range(2):
            connect(bare).put_file(str(tmp_path / "here"), str(there / "file"))
        assert (there / "file").read_bytes() == b"content"
        with pytest.raises(AnsibleError, match="has no SFTP; set transfer_method"):
            connect(bare, transfer_method="sftp").put_file(str(tmp_path / "here"), str(there / "other"))


def test_an_sftp_that_greets_like_a_shell_is_none(
    world: World, connect: Connect, there: Path, tmp_path: Path, keep_open: int
) -> None:
    (tmp_path / "here").write_bytes(b"content")
    program = world.write("greeting", "#!/bin/sh\necho Welcome\n")
    program.chmod(0o755)
    with sshd.running(world, f"Subsystem sftp {program}") as server:
        connection = connect(server, keep_open=keep_open)
        connection.put_file(str(tmp_path / "here"), str(there / "file"))
        connection.fetch_file(str(there / "file"), str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"content"


@pytest.mark.parametrize("method", METHODS)
def test_a_file_that_can_not_be_fetched_leaves_the_one_that_is_here(
    method: str, server: Sshd, connect: Connect, there: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    back.write_bytes(b"before")
    with pytest.raises(AnsibleError, match="could not be fetched"):
        connect(server, transfer_method=method).fetch_file(str(there / "gone"), str(back))
    assert back.read_bytes() == b"before"


@pytest.mark.parametrize("method", METHODS)
def test_what_can_not_be_moved_is_named(
    method: str, server: Sshd, connect: Connect, there: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(b"content")
    connection = connect(server, transfer_method=method)
    with pytest.raises(AnsibleError, match=r"/root/file could not be written on 127\.0\.0\.1: .*[Pp]ermission denied"):
        connection.put_file(str(tmp_path / "here"), "/root/file")
    with pytest.raises(AnsibleError, match=r"gone could not be fetched on 127\.0\.0\.1: .*[Nn]o such file"):
        connection.fetch_file(str(there / "gone"), str(tmp_path / "back"))
    with pytest.raises(AnsibleError, match="missing can not be read here"):
        connection.put_file(str(tmp_path / "missing"), str(there / "file"))
    (there / "file").write_bytes(b"content")
    with pytest.raises(AnsibleError, match="/missing/back: No such file"):
        connection.fetch_file(str(there / "file"), "/missing/back")


def test_a_connection_that_drops_while_a_command_runs_is_a_host_that_is_lost(
    world: World, connect: Connect, keep_open: int, pause: str
) -> None:
    def drop_in_the_middle() -> None:
        eventually(lambda: commands.running(pause))
        server.drop()

    with sshd.running(world) as server, ThreadPoolExecutor() as pool:
        dropped = pool.submit(drop_in_the_middle)
        with pytest.raises(AnsibleConnectionFailure, match="was lost while a command ran"):
            connect(server, keep_open=keep_open).exec_command(pause, sudoable=False)
        dropped.result()


def test_a_connection_that_dropped_between_tasks_is_made_anew(world: World, connect: Connect, keep_open: int) -> None:
    with sshd.running(world) as server:
        connection = connect(server, keep_open=keep_open)
        connection.exec_command("true", sudoable=False)
        server.drop()
        assert connection.exec_command("echo again", sudoable=False)[1] == b"again\n"


def test_a_connection_that_stopped_answering_between_tasks_is_made_anew(
    world: World, connect: Connect, keep_open: int, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(b"content")
    with sshd.running(world) as server:
        connection = connect(server, keep_open=keep_open, timeout=1)
        connection.exec_command("true", sudoable=False)
        server.freeze()
        connection.put_file(str(tmp_path / "here"), str(world.path("alice") / "unanswered"))
        server.freeze()
        assert connection.exec_command("cat unanswered", sudoable=False)[1] == b"content"


@pytest.mark.parametrize("operation", ["put_file", "fetch_file"])
def test_a_transfer_that_breaks_off_is_a_host_that_is_lost(
    operation: str, world: World, connect: Connect, tmp_path: Path
) -> None:
    target = world.path("alice") / "endless" if operation == "put_file" else tmp_path / "endless"

    def drop_in_the_middle() -> None:
        eventually(lambda: target.exists() and target.stat().st_size)
        server.drop()

    with sshd.running(world) as server, ThreadPoolExecutor() as pool:
        dropped = pool.submit(drop_in_the_middle)
        with pytest.raises(AnsibleConnectionFailure, match="was lost"):
            getattr(connect(server), operation)("/dev/zero", str(target))
        dropped.result()
    target.unlink()


def test_what_reads_as_the_end_of_a_file_when_the_host_is_gone_is_none(
    world: World, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a channel ends for paramiko that closes while the next request waits for room."""

    def end(file: SFTPFile, _size: int) -> bytes:
        channel = file.sftp.get_channel()
        assert channel
        server.drop()
        eventually(lambda: channel.closed)
        return b""

    world.path("alice/half").write_bytes(b"content")
    monkeypatch.setattr(SFTPFile, "read", end)
    with sshd.running(world) as server, pytest.raises(AnsibleConnectionFailure, match="was lost"):
        connect(server, keep_open=0).fetch_file(str(world.path("alice/half")), str(tmp_path / "back"))


def test_a_host_that_does_not_answer_is_given_up(world: World, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        server: Any = sshd.Sshd(world, "silent", silent.getsockname()[1], None)  # type: ignore[arg-type]
        started = time.monotonic()
        with pytest.raises(AnsibleConnectionFailure, match=f"port {server.port} was reached, but did not agree"):
            connect(server, banner_timeout=1).exec_command("true")
        assert time.monotonic() - started < 10


def test_a_port_that_nobody_listens_on_is_named(server: Sshd, connect: Connect) -> None:
    with pytest.raises(AnsibleConnectionFailure, match=r"127\.0\.0\.1 port 1 can not be reached: Connection refused"):
        connect(server, port=1).exec_command("true")
    with pytest.raises(AnsibleConnectionFailure, match=r"no-such-host\.invalid port \d+ can not be reached"):
        connect(server, remote_addr="no-such-host.invalid").exec_command("true")
