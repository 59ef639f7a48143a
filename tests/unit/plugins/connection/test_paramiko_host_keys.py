# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host keys: whoever else answers in a host's place gets no connection, whatever the options are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from unit.plugins.connection import sshd
from unit.plugins.connection.conftest import Connect
from unit.plugins.connection.sshd import Sshd, World

LENIENT = (
    {"host_key_checking": False},
    {"host_key_auto_add": True},
    {"host_key_checking": False, "host_key_auto_add": True, "record_host_keys": True},
)
STRICT = {"host_key_checking": True}


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def line(server: Sshd, key: str) -> str:
    return f"[127.0.0.1]:{server.port} {server.world.public(key)}\n"


def reach(connection: object) -> None:
    assert connection.exec_command("true", sudoable=False)[0] == 0  # type: ignore[attr-defined]


def refused(connection: object) -> str:
    with pytest.raises(AnsibleConnectionFailure) as error:
        reach(connection)
    return str(error.value)


@pytest.mark.parametrize("hashed", [False, True])
def test_a_known_host_connects(hashed: bool, server: Sshd, connect: Connect, known_hosts: Path) -> None:
    known_hosts.write_text(line(server, "host"))
    if hashed:
        subprocess.run(["ssh-keygen", "-H", "-f", known_hosts], check=True, capture_output=True)
        assert "127.0.0.1" not in known_hosts.read_text()
    reach(connect(server, **STRICT))


def test_the_second_file_counts_too(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "second").write_text(line(server, "host"))
    reach(connect(server, **STRICT, known_hosts=[str(tmp_path / "missing"), str(tmp_path / "second")]))


def test_an_unknown_host_is_refused_and_what_to_add_is_said(
    server: Sshd, connect: Connect, known_hosts: Path, keep_open: int
) -> None:
    message = refused(connect(server, **STRICT, keep_open=keep_open))
    assert str(known_hosts) in message
    assert line(server, "host").strip() in message
    known_hosts.write_text(line(server, "host"))
    reach(connect(server, **STRICT, keep_open=keep_open))


@pytest.mark.parametrize("options", LENIENT[:2])
def test_an_unknown_host_is_admitted_where_that_was_wanted_and_not_recorded(
    options: dict[str, bool], server: Sshd, connect: Connect, known_hosts: Path
) -> None:
    reach(connect(server, **{**STRICT, **options}))
    assert not known_hosts.exists()


@pytest.mark.parametrize("options", [STRICT, *LENIENT])
@pytest.mark.parametrize("key", ["other", "rsa"])
def test_a_changed_key_never_connects(
    options: dict[str, bool], key: str, server: Sshd, connect: Connect, known_hosts: Path, keep_open: int
) -> None:
    known_hosts.write_text(line(server, key))
    message = refused(connect(server, **options, keep_open=keep_open))
    assert "THE HOST KEY HAS CHANGED" in message
    assert f"{known_hosts}:1" in message
    assert known_hosts.read_text() == line(server, key)


@pytest.mark.parametrize("options", [STRICT, *LENIENT])
def test_a_revoked_key_never_connects(
    options: dict[str, bool], server: Sshd, connect: Connect, known_hosts: Path
) -> None:
    known_hosts.write_text(line(server, "host") + f"@revoked * {server.world.public('host')}\n")
    assert "revokes" in refused(connect(server, **options))


@pytest.mark.parametrize("options", [STRICT, *LENIENT])
def test_where_a_certificate_is_due_a_bare_key_is_refused(
    options: dict[str, bool], world: World, connect: Connect, known_hosts: Path
) -> None:
    certified = world.path("host-cert.pub")
    if not certified.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-s", world.path("authority"), "-h", "-I", "id", world.path("host.pub")], check=True
        )
    with sshd.running(world, f"HostCertificate {certified}") as server:
        known_hosts.write_text(f"@cert-authority [127.0.0.1]:* {world.public('authority')}\n")
        assert "wants a host certificate" in refused(connect(server, **options))
        with known_hosts.open("a") as file:
            file.write(line(server, "host"))
        reach(connect(server, **options))


def test_of_several_host_keys_the_known_one_is_asked_for(world: World, connect: Connect, known_hosts: Path) -> None:
    with sshd.running(world, f"HostKey {world.path('host-rsa')}") as server:
        for key in ("host-rsa", "host"):
            known_hosts.write_text(line(server, key))
            reach(connect(server, **STRICT, keep_open=0))
        assert server.signed_in == 2


def test_a_key_that_is_known_for_all_ports_is_asked_for_too(world: World, connect: Connect, known_hosts: Path) -> None:
    with sshd.running(world, f"HostKey {world.path('host-rsa')}") as server:
        for key in ("host-rsa", "host"):
            known_hosts.write_text(f"127.0.0.1 {world.public(key)}\n")
            reach(connect(server, **STRICT, keep_open=0))


def test_a_key_is_recorded_only_on_request_and_once(server: Sshd, connect: Connect, known_hosts: Path) -> None:
    known_hosts.write_text("# mine, without an end of line")
    for _time in range(2):
        connection = connect(server, record_host_keys=True)
        reach(connection)
        connection.reset()
    assert known_hosts.read_text() == f"# mine, without an end of line\n{line(server, 'host')}"
    reach(connect(server, **STRICT))


@pytest.mark.parametrize("prefix", ["mx.", "#"])
def test_a_line_that_ends_as_the_recorded_one_does_not_stand_for_it(
    prefix: str, server: Sshd, connect: Connect, known_hosts: Path
) -> None:
    known_hosts.write_text(prefix + line(server, "host"))
    reach(connect(server, record_host_keys=True, keep_open=0))
    assert known_hosts.read_text() == prefix + line(server, "host") + line(server, "host")


def test_a_directory_for_recorded_keys_is_made_for_the_user_alone(
    server: Sshd, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "home" / "known_hosts"
    reach(connect(server, record_host_keys=True, known_hosts=[str(path)]))
    assert path.read_text() == line(server, "host")
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_can_not_be_read_is_not_passed_over(server: Sshd, connect: Connect, known_hosts: Path) -> None:
    """It may hold the key that tells an impostor."""
    known_hosts.mkdir()
    with pytest.raises(AnsibleError, match=f"{known_hosts} can not be read"):
        reach(connect(server))


def test_a_broken_line_about_the_host_is_named(server: Sshd, connect: Connect, known_hosts: Path) -> None:
    known_hosts.write_text(f"[127.0.0.1]:{server.port} ssh-ed25519\n")
    assert f"{known_hosts}:1" in refused(connect(server))


@pytest.mark.parametrize("revoked", ["@Revoked * {key}", "@revoke * {key}", "@revoked * ssh-ed25519 AAAA"])
@pytest.mark.parametrize("options", [STRICT, *LENIENT])
def test_a_line_that_may_revoke_the_key_is_not_passed_over(
    options: dict[str, bool], revoked: str, server: Sshd, connect: Connect, known_hosts: Path
) -> None:
    known_hosts.write_text(line(server, "host") + revoked.format(key=server.world.public("host")) + "\n")
    message = refused(connect(server, **options))
    assert f"{known_hosts}:2" in message
    assert "can not be read" in message


@pytest.mark.parametrize("checking", [True, False])
def test_a_jump_host_in_the_wrong_place_ends_the_way(
    checking: bool, server: Sshd, world: World, connect: Connect, known_hosts: Path
) -> None:
    with sshd.running(world) as jump:
        way = {"proxy_jump": f"127.0.0.1:{jump.port}", "host_key_checking": checking}
        known_hosts.write_text(line(server, "host") + line(jump, "other"))
        assert f"port {jump.port} shows" in refused(connect(server, **way))
        known_hosts.write_text(line(server, "other") + line(jump, "host"))
        assert f"port {server.port} shows" in refused(connect(server, **way))
        known_hosts.write_text(line(server, "host") + line(jump, "host"))
        reach(connect(server, **way))


def test_a_key_that_changes_while_a_connection_is_kept_is_noticed_by_the_next_one(
    world: World, connect: Connect, known_hosts: Path
) -> None:
    with sshd.running(world) as server:
        known_hosts.write_text(line(server, "host"))
        connection = connect(server)
        reach(connection)
    with sshd.running(world, host_key="other", port=server.port):
        assert "THE HOST KEY HAS CHANGED" in refused(connection)
