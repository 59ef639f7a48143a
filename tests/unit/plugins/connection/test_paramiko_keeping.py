# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that tasks hand on, and becoming another user: one sign-in for many tasks, and nothing left behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.loader import become_loader

from tools.waiting import eventually
from unit.plugins.connection import commands, sshd
from unit.plugins.connection.conftest import Connect
from unit.plugins.connection.sshd import PASSWORD, Sshd, World


def say(connection: Any, word: str = "hello") -> None:
    assert connection.exec_command(f"echo {word}", sudoable=False)[1].decode().strip() == word


def sockets(directory: Path) -> list[Path]:
    return list((directory / "cp").glob("*"))


def test_tasks_of_a_playbook_share_a_connection(world: World, connect: Connect) -> None:
    with sshd.running(world) as server:
        for word in ("one", "two", "three"):
            connection = connect(server)
            say(connection, word)
            connection.close()
        assert server.signed_in == 1


def test_where_connections_are_not_kept_each_task_makes_one(world: World, connect: Connect, control: Path) -> None:
    with sshd.running(world) as server:
        for _time in range(2):
            connection = connect(server, keep_open=0)
            say(connection)
            say(connection)
            connection.close()
        assert server.signed_in == 2
        assert not sockets(control)
        eventually(lambda: not server.sessions())


def test_tasks_that_start_at_a_time_sign_in_once(world: World, connect: Connect) -> None:
    with sshd.running(world) as server, ThreadPoolExecutor(6) as pool:
        list(pool.map(say, [connect(server) for _task in range(6)]))
        assert server.signed_in == 1


def test_another_user_or_another_way_is_another_connection(world: World, connect: Connect, control: Path) -> None:
    with sshd.running(world) as server:
        say(connect(server))
        say(connect(server, remote_user="bob"))
        say(connect(server, private_key_file=str(world.path("rsa"))))
        assert server.signed_in == 3


def test_a_reset_makes_the_next_task_sign_in_again(world: World, connect: Connect) -> None:
    """As a user that was added to a group needs it."""
    with sshd.running(world) as server:
        say(connect(server))
        # The process of the playbook resets with what the task's variables say, which may lack what others had.
        connect(server, private_key_file=None).reset()
        say(connect(server))
        assert server.signed_in == 2


def test_a_reset_lets_others_finish(server: Sshd, connect: Connect) -> None:
    with ThreadPoolExecutor() as pool:
        done = pool.submit(connect(server).exec_command, f"{commands.pause(2)}; echo done", sudoable=False)
        eventually(lambda: commands.running(commands.pause(2)))
        connect(server).reset()
        assert done.result() == (0, b"done\n", b"")


def test_a_connection_that_nobody_uses_ends(world: World, connect: Connect, control: Path) -> None:
    with sshd.running(world) as server:
        say(connect(server, keep_open=1))
        assert [path.suffix for path in sockets(control)].count(".sock") == 1
        eventually(lambda: not server.sessions() and not sockets(control))


def test_a_connection_ends_with_the_playbook(world: World, connect: Connect, control: Path) -> None:
    with sshd.running(world) as server, subprocess.Popen(["sleep", "60"]) as playbook:
        connection = connect(server)
        connection._playbook = playbook.pid
        say(connection)
        assert server.sessions()
        playbook.terminate()
        playbook.wait()
        eventually(lambda: not server.sessions() and not sockets(control))


def test_a_command_ends_with_its_task(server: Sshd, connect: Connect, pause: str) -> None:
    """A task that ran into its time limit, or was interrupted, does not go on by itself."""

    def run() -> None:
        connect(server).exec_command(f"exec {pause}")

    say(connect(server))
    worker = multiprocessing.get_context("fork").Process(target=run)
    worker.start()
    eventually(lambda: commands.running(pause))
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    eventually(lambda: not commands.running(pause))


def test_a_keeper_that_was_killed_is_replaced(world: World, connect: Connect, control: Path) -> None:
    with sshd.running(world) as server:
        connection = connect(server)
        say(connection)
        socket = next(path for path in sockets(control) if path.suffix == ".sock")
        os.kill(_listener(socket), signal.SIGKILL)
        say(connection)
        assert server.signed_in == 2


def test_a_keeper_that_is_killed_while_a_command_takes_input_is_a_host_that_is_lost(
    server: Sshd, connect: Connect, control: Path, pause: str
) -> None:
    connection = connect(server)
    say(connection)
    keeper = _listener(next(path for path in sockets(control) if path.suffix == ".sock"))
    with ThreadPoolExecutor() as pool:
        done = pool.submit(connection.exec_command, pause, in_data=b"x" * 20_000_000)
        eventually(lambda: commands.running(pause))
        os.kill(keeper, signal.SIGKILL)
        with pytest.raises(AnsibleConnectionFailure, match="the process that keeps the connection ended"):
            done.result()


def _listener(path: Path) -> int:
    rows = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    # Its accepted connections bear the same path, without the flag __SO_ACCEPTCON.
    inode = next(row[6] for row in rows if row[7:] == [str(path)] and row[3] == "00010000")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is nobody's business
            if f"socket:[{inode}]" in [os.readlink(process / "fd" / name) for name in os.listdir(process / "fd")]:
                return int(process.name)
    raise AssertionError(f"nobody listens on {path}")


def test_a_host_that_allows_one_session_serves_two_tasks(world: World, connect: Connect) -> None:
    with sshd.running(world, "MaxSessions 1") as server, ThreadPoolExecutor() as pool:
        busy = pool.submit(connect(server).exec_command, f"{commands.pause(1)}; echo done", sudoable=False)
        eventually(lambda: commands.running(commands.pause(1)))
        say(connect(server))
        assert busy.result()[1] == b"done\n"


def test_a_host_that_allows_one_session_takes_one_file_after_the_other(
    world: World, connect: Connect, keep_open: int, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(b"content")
    with sshd.running(world, "MaxSessions 1") as server:
        connection = connect(server, keep_open=keep_open)
        for number in range(5):
            connection.put_file(str(tmp_path / "here"), str(world.path("alice") / f"file{number}"))
        connection.fetch_file(str(world.path("alice") / "file4"), str(tmp_path / "back"))
        connection.close()
    assert (tmp_path / "back").read_bytes() == b"content"


def test_a_file_is_moved_while_another_task_has_the_only_session(
    world: World, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(b"content")
    with sshd.running(world, "MaxSessions 1") as server, ThreadPoolExecutor() as pool:
        busy = pool.submit(connect(server).exec_command, f"{commands.pause(1)}; echo done", sudoable=False)
        eventually(lambda: commands.running(commands.pause(1)))
        connect(server).put_file(str(tmp_path / "here"), str(world.path("alice") / "meanwhile"))
        assert busy.result()[1] == b"done\n"
    assert world.path("alice/meanwhile").read_bytes() == b"content"


def test_a_host_that_lets_nobody_in_leaves_nothing_behind(server: Sshd, connect: Connect, control: Path) -> None:
    with pytest.raises(AnsibleError):
        say(connect(server, private_key_file=str(server.world.path("stranger"))))
    assert not sockets(control)


def test_only_the_user_can_use_what_is_kept(server: Sshd, connect: Connect, control: Path) -> None:
    say(connect(server))
    assert (control / "cp").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in sockets(control) if path.suffix == ".sock")


def test_a_directory_that_others_can_write_to_is_refused(server: Sshd, connect: Connect, control: Path) -> None:
    """Also where a connection is kept already: somebody else may have put what looks like it there."""
    say(connect(server))
    (control / "cp").chmod(0o777)
    try:
        with pytest.raises(AnsibleError, match=r"control_path_dir .* can be written by others"):
            say(connect(server))
    finally:
        (control / "cp").chmod(0o700)


def test_a_path_too_long_for_a_socket_costs_only_time(world: World, connect: Connect, tmp_path: Path) -> None:
    with sshd.running(world) as server:
        for _task in range(2):
            connection = connect(server, control_path_dir=str(tmp_path / ("long" * 30)))
            say(connection)
            connection.close()
        assert server.signed_in == 2
        eventually(lambda: not server.sessions())


def become(name: str, **options: str) -> Any:
    plugin = become_loader.get(name)
    plugin.set_options(direct=options)
    return plugin


def run_as(connection: Any, plugin: Any, command: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
    connection.set_become_plugin(plugin)
    done: tuple[int, bytes, bytes] = connection.exec_command(
        plugin.build_become_command(command, connection._shell), in_data=data
    )
    return done


def test_becoming_another_user_with_a_password(server: Sshd, connect: Connect, keep_open: int) -> None:
    connection = connect(server, keep_open=keep_open)
    su = become("su", become_user="bob", become_pass=PASSWORD)
    assert run_as(connection, su, "id -un")[1] == b"bob\r\n"


def test_a_wrong_become_password_is_no_secret_for_the_log(server: Sshd, connect: Connect) -> None:
    su = become("su", become_user="bob", become_pass="wrong-secret")
    with pytest.raises(AnsibleError, match="Incorrect su password; correct ansible_become_password") as error:
        run_as(connect(server), su, "id -un")
    assert "wrong-secret" not in str(error.value)


def test_a_prompt_that_does_not_come_is_not_waited_for_for_ever(server: Sshd, connect: Connect) -> None:
    connection = connect(server, timeout=1)
    su = become("su", become_user="bob", become_pass=PASSWORD, become_exe="sleep 30; su")
    with pytest.raises(AnsibleError, match=r"127\.0\.0\.1: Timeout \(1 s\) waiting for the prompt"):
        run_as(connection, su, "id -un")
