# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing in: each way that works, and what is said where none does."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from unit.plugins.connection import sshd
from unit.plugins.connection.conftest import Connect
from unit.plugins.connection.sshd import PASSPHRASE, PASSWORD, Sshd, World

NO_KEYS = {"private_key_file": None, "use_agent": False, "look_for_keys": False}


def who(connection: object) -> str:
    status, output, errors = connection.exec_command("id -un", sudoable=False)  # type: ignore[attr-defined]
    assert status == 0, errors
    return str(output.decode().strip())


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_with_a_key_file(kind: str, server: Sshd, connect: Connect, keep_open: int) -> None:
    key = str(server.world.path(kind))
    assert who(connect(server, private_key_file=key, keep_open=keep_open)) == "alice"


def test_with_a_key_that_is_given_as_text(server: Sshd, connect: Connect) -> None:
    text = server.world.path("ed25519").read_text()
    assert who(connect(server, **{**NO_KEYS, "private_key": text.strip()})) == "alice"


@pytest.mark.parametrize("form", ["PEM", "PKCS8"])
def test_with_a_key_in_another_format(form: str, server: Sshd, connect: Connect, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(server.world.path("rsa").read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "", "-m", form, "-f", key], check=True, capture_output=True)
    assert who(connect(server, private_key_file=str(key))) == "alice"


def test_with_a_key_file_and_its_passphrase(server: Sshd, connect: Connect) -> None:
    key = str(server.world.path("encrypted"))
    assert who(connect(server, private_key_file=key, private_key_passphrase=PASSPHRASE)) == "alice"


def test_a_passphrase_that_the_key_does_not_need_does_no_harm(server: Sshd, connect: Connect) -> None:
    assert who(connect(server, private_key_passphrase=PASSPHRASE)) == "alice"


def test_with_a_default_key(server: Sshd, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa").write_text("no key")
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(server.world.path("ed25519").read_bytes())
    assert who(connect(server, private_key_file=None, look_for_keys=True)) == "alice"
    with pytest.raises(AnsibleAuthenticationFailure):
        who(connect(server, private_key_file=None, look_for_keys=False))


@pytest.fixture
def agent(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect) -> Iterator[None]:
    """An agent with the encrypted key and one that nobody takes."""
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    environment = {**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "-"}
    answer = tmp_path / "answer"
    answer.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
    answer.chmod(0o700)
    keys = [world.path("stranger"), world.path("encrypted")]
    subprocess.run(["ssh-add", *keys], env={**environment, "SSH_ASKPASS": str(answer)}, check=True, capture_output=True)
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.usefixtures("agent")
def test_with_an_agent(server: Sshd, connect: Connect, keep_open: int) -> None:
    assert who(connect(server, private_key_file=None, keep_open=keep_open)) == "alice"
    with pytest.raises(AnsibleAuthenticationFailure):
        who(connect(server, private_key_file=None, use_agent=False, keep_open=keep_open))


@pytest.mark.usefixtures("agent")
def test_an_encrypted_key_file_is_no_error_where_the_agent_has_the_key(server: Sshd, connect: Connect) -> None:
    assert who(connect(server, private_key_file=str(server.world.path("encrypted")))) == "alice"


@pytest.mark.usefixtures("agent")
def test_a_key_in_a_file_and_in_the_agent_is_one_try(world: World, connect: Connect) -> None:
    with sshd.running(world, "MaxAuthTries 2") as server:
        assert who(connect(server, private_key_file=str(world.path("stranger")))) == "alice"


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_with_a_certificate_in_the_agent(kind: str, world: World, connect: Connect, tmp_path: Path) -> None:
    key = tmp_path / "certified"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key], check=True)
    authority = str(world.path("authority"))
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "id", "-n", "bob", f"{key}.pub"], check=True)
    subprocess.run(["ssh-add", "-q", key], check=True)
    # Else the agent's other key would do.
    settings = (f"TrustedUserCAKeys {world.path('authority.pub')}", f"RevokedKeys {world.path('encrypted.pub')}")
    with sshd.running(world, *settings) as server:
        connection = connect(server, private_key_file=None, remote_user="bob")
        assert who(connection) == "bob"


def test_with_a_certificate_beside_the_key(world: World, connect: Connect) -> None:
    key = world.generate("certified", "ed25519")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", world.path("authority"), "-I", "id", "-n", "alice", f"{key}.pub"], check=True
    )
    with sshd.running(world, f"TrustedUserCAKeys {world.path('authority.pub')}") as server:
        assert who(connect(server, private_key_file=str(key))) == "alice"


@pytest.mark.parametrize(
    "settings",
    [
        ("PasswordAuthentication yes", "KbdInteractiveAuthentication no"),
        ("PasswordAuthentication no", "KbdInteractiveAuthentication yes"),
    ],
    ids=["password", "keyboard-interactive"],
)
def test_with_a_password(settings: tuple[str, ...], world: World, connect: Connect) -> None:
    with sshd.running(world, *settings) as server:
        assert who(connect(server, **{**NO_KEYS, "password": PASSWORD})) == "alice"
        with pytest.raises(AnsibleAuthenticationFailure) as error:
            who(connect(server, **{**NO_KEYS, "password": "wrong-secret", "remote_user": "bob"}))
    assert "Tried: password. " in str(error.value)
    assert "wrong-secret" not in str(error.value)


@pytest.mark.parametrize("order", ["publickey,password", "password,publickey", "publickey,keyboard-interactive"])
def test_where_the_host_wants_both(order: str, world: World, connect: Connect) -> None:
    with sshd.running(world, f"AuthenticationMethods {order}", "KbdInteractiveAuthentication yes") as server:
        assert who(connect(server, password=PASSWORD)) == "alice"
        with pytest.raises(AnsibleAuthenticationFailure):
            who(connect(server, remote_user="bob"))


def test_through_jump_hosts(server: Sshd, world: World, connect: Connect, keep_open: int) -> None:
    with sshd.running(world) as first, sshd.running(world) as second:
        jumps = f"alice@127.0.0.1:{first.port},127.0.0.1:{second.port}"
        connection = connect(server, proxy_jump=jumps, keep_open=keep_open)
        assert who(connection) == "alice"
        assert first.sessions()
        assert second.sessions()


def test_a_connection_whose_jump_host_is_gone_can_be_closed(server: Sshd, world: World, connect: Connect) -> None:
    """Taking leave of the host would go through the jump host."""
    with sshd.running(world) as jump:
        connection = connect(server, proxy_jump=f"127.0.0.1:{jump.port}", keep_open=0)
        who(connection)
        outer, dummy = connection._keeper._session._transports
        outer.sock.shutdown(socket.SHUT_WR)
        connection.close()
        assert not outer.is_active()


def test_the_password_is_not_shown_to_a_jump_host(server: Sshd, world: World, connect: Connect) -> None:
    with sshd.running(world, "PubkeyAuthentication no") as jump:
        with pytest.raises(AnsibleAuthenticationFailure, match=f"port {jump.port} let nobody in"):
            who(connect(server, proxy_jump=f"127.0.0.1:{jump.port}", password=PASSWORD))
        assert "password for" not in jump.log


PROXY = """
import os, socket, sys, threading

host = socket.create_connection((sys.argv[1], int(sys.argv[2])))


def up():
    while data := os.read(0, 65536):
        host.sendall(data)
    host.shutdown(socket.SHUT_WR)


threading.Thread(target=up, daemon=True).start()
while data := host.recv(65536):
    os.write(1, data)
"""


def test_through_a_proxy_command(server: Sshd, connect: Connect) -> None:
    path = server.world.write("proxy.py", PROXY)
    assert who(connect(server, proxy_command=f"python3 {path} %h %p")) == "alice"


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (NO_KEYS, "Set private_key_file or password, or start an agent"),
        ({"private_key_file": "stranger"}, "Correct remote_user, private_key_file or password"),
        ({"private_key_file": "encrypted"}, "set private_key_passphrase"),
    ],
)
def test_who_is_not_let_in_learns_what_was_tried(
    options: dict[str, object], remedy: str, server: Sshd, connect: Connect, keep_open: int
) -> None:
    if options.get("private_key_file"):
        options = {"private_key_file": str(server.world.path(str(options["private_key_file"])))}
    with pytest.raises(AnsibleAuthenticationFailure) as error:
        who(connect(server, **options, keep_open=keep_open))
    assert f"alice@127.0.0.1 port {server.port} let nobody in" in str(error.value)
    assert "The host takes: publickey, password" in str(error.value)
    assert remedy in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"private_key_file": "/missing/key"}, "/missing/key can not be read: No such file"),
        ({"private_key_file": "/etc/passwd"}, "private_key_file /etc/passwd can not be used: it is no private key"),
        ({"private_key": "no key"}, "private_key can not be used: it is no private key"),
        ({"proxy_command": "/missing/program"}, "proxy_command can not be started"),
    ],
)
def test_what_can_not_be_used_is_named(options: dict[str, str], message: str, server: Sshd, connect: Connect) -> None:
    with pytest.raises(AnsibleError, match=message):
        who(connect(server, **options))


@pytest.fixture
def exotic(world: World, tmp_path: Path) -> Path:
    """A key whose cipher the library does not know."""
    key = tmp_path / ".ssh" / "id_rsa"
    key.parent.mkdir()
    key.write_bytes(world.path("rsa").read_bytes())
    key.chmod(0o600)
    cipher = "chacha20-poly1305@openssh.com"
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", PASSPHRASE, "-Z", cipher, "-f", key], check=True)
    return key


def test_a_key_of_another_kind_is_named_or_passed_over(
    exotic: Path, server: Sshd, connect: Connect, keep_open: int
) -> None:
    with pytest.raises(AnsibleError, match=f"{exotic} can not be used: its type or its cipher is not supported"):
        who(connect(server, private_key_file=str(exotic), private_key_passphrase=PASSPHRASE, keep_open=keep_open))
    assert who(connect(server, look_for_keys=True, keep_open=keep_open)) == "alice"


def test_a_user_without_a_name_is_told_of_the_option(
    server: Sshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run as a number."""
    connection = connect(server)
    with monkeypatch.context() as patch:
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
            patch.delenv(name, raising=False)
        patch.setattr(pwd, "getpwuid", {}.__getitem__)
        connection.set_option("remote_user", None)
        with pytest.raises(AnsibleError, match=r"set remote_user \(ansible_user\)"):
            who(connection)
        connection.set_option("remote_user", "alice")
        connection.set_option("look_for_keys", True)
        assert who(connection) == "alice"


def test_a_sign_of_life_may_be_as_rare_as_one_likes(server: Sshd, connect: Connect) -> None:
    assert who(connect(server, keepalive_interval=10**9)) == "alice"


def test_a_wrong_passphrase_is_no_secret_for_the_log(server: Sshd, connect: Connect) -> None:
    key = str(server.world.path("encrypted"))
    with pytest.raises(AnsibleError, match="correct private_key_passphrase") as error:
        who(connect(server, private_key_file=key, private_key_passphrase="wrong-secret"))
    assert "wrong-secret" not in str(error.value)


def test_too_many_keys_are_explained(world: World, connect: Connect) -> None:
    with (
        sshd.running(world, "MaxAuthTries 1") as server,
        pytest.raises(AnsibleConnectionFailure, match="MaxAuthTries"),
    ):
        who(connect(server, private_key_file=str(world.path("stranger"))))


def test_a_host_that_makes_up_its_mind_for_ever_is_not_one_that_refuses(world: World, connect: Connect) -> None:
    """As where its directory of users does not answer."""
    with sshd.running(world, "AuthorizedKeysCommand /bin/sleep 30", "AuthorizedKeysCommandUser root") as server:
        key = str(world.path("stranger"))
        connection = connect(server, private_key_file=key, password=PASSWORD, banner_timeout=1.5)
        with pytest.raises(AnsibleConnectionFailure, match=r"did not answer within 1\.5 s \(banner_timeout\)") as error:
            who(connection)
        assert not isinstance(error.value, AnsibleAuthenticationFailure)
        assert "password for" not in server.log
