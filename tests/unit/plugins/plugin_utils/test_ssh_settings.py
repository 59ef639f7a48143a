# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How options become a way to a host: what a misspelt one costs is a connection to somewhere else."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.errors import SshError
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.keeper import name_of
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.settings import Hop, Settings, parse_jumps, settings
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.sign_in import preferred

SECRETS = {"password": "secret-1", "private_key_passphrase": "secret-2", "private_key": "secret-3"}
DEFAULTS: dict[str, Any] = {
    "remote_addr": "192.0.2.1",
    "port": 22,
    "remote_user": "alice",
    "password": None,
    "private_key_file": None,
    "private_key": None,
    "private_key_passphrase": None,
    "use_agent": True,
    "look_for_keys": True,
    "known_hosts": ["~/.ssh/known_hosts"],
    "host_key_checking": True,
    "host_key_auto_add": False,
    "record_host_keys": False,
    "proxy_jump": "",
    "proxy_command": "",
    "timeout": 10,
    "banner_timeout": 30.0,
    "keepalive_interval": 15,
}


def made_of(**options: Any) -> Settings:
    return settings({**DEFAULTS, **options}.__getitem__)


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("", ()),
        ("none", ()),
        ("bastion", (Hop("bastion", 22, "me"),)),
        ("bob@bastion:2222", (Hop("bastion", 2222, "bob"),)),
        ("a, b@x@[2001:db8::1]:2222", (Hop("a", 22, "me"), Hop("2001:db8::1", 2222, "b@x"))),
        ("[2001:db8::1]", (Hop("2001:db8::1", 22, "me"),)),
        ("2001:db8::1", (Hop("2001:db8::1", 22, "me"),)),
    ],
)
def test_jump_hosts_are_written_as_for_ssh(text: str, hops: tuple[Hop, ...]) -> None:
    assert parse_jumps(text, "me") == hops


@pytest.mark.parametrize("text", [",", "a,,b", "bob@", "a:port", "a:0", "[a]:99999", ":22"])
def test_a_jump_host_that_can_not_be_meant_is_named(text: str) -> None:
    with pytest.raises(SshError, match="proxy_jump"):
        parse_jumps(text, "me")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"remote_addr": " "}, "ansible_host"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"timeout": 0}, "timeout"),
        ({"banner_timeout": -1}, "banner_timeout"),
        ({"proxy_jump": "a", "proxy_command": "nc %h %p"}, "proxy_command"),
    ],
)
def test_options_that_can_not_be_meant_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(SshError, match=named):
        made_of(**options)


def test_without_a_user_it_is_the_one_who_runs_ansible() -> None:
    assert made_of(remote_user=None).target.user == getpass.getuser()


def test_brackets_around_an_address_are_no_part_of_it() -> None:
    assert made_of(remote_addr="[2001:db8::1]").target.host == "2001:db8::1"


def test_a_proxy_command_knows_the_host() -> None:
    made = made_of(proxy_command="nc -x %%h %h %p %r %d", port=2222)
    assert made.proxy_command == "nc -x %h 192.0.2.1 2222 alice %d"


@pytest.mark.parametrize(
    ("checking", "auto_add", "admits"),
    [(True, False, False), (True, True, True), (False, False, True), (False, True, True)],
)
def test_an_unknown_host_is_admitted_only_where_somebody_said_so(checking: bool, auto_add: bool, admits: bool) -> None:
    made = made_of(host_key_checking=checking, host_key_auto_add=auto_add)
    assert made.policy.admit_unknown is admits
    assert made.policy.record is False


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    made = made_of(**SECRETS)
    assert not any(secret in f"{made!r} {made.way!r}" for secret in SECRETS.values())


def test_a_jump_host_gets_no_password() -> None:
    credentials = made_of(**SECRETS).credentials
    assert credentials.password
    assert not credentials.for_jump().password


def test_a_connection_is_shared_only_by_those_who_go_the_same_way() -> None:
    usual = name_of(made_of(), 1)
    assert name_of(made_of(), 1) == usual
    assert name_of(made_of(password="other"), 1) == usual
    others: list[dict[str, Any]] = [
        {"remote_user": "bob"},
        {"port": 23},
        {"remote_addr": "192.0.2.2"},
        {"private_key_file": "/k"},
        {"proxy_jump": "a"},
        {"host_key_checking": False},
        {"known_hosts": []},
    ]
    for other in others:
        assert name_of(made_of(**other), 1) != usual
    assert name_of(made_of(), 2) != usual


def test_known_types_of_host_keys_are_asked_for_first() -> None:
    offered = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    assert preferred(offered, ["ssh-rsa"]) == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256")
    assert preferred(offered, ["ssh-dss", "ecdsa-sha2-nistp256"])[0] == "ecdsa-sha2-nistp256"
    assert preferred(offered, []) == offered
