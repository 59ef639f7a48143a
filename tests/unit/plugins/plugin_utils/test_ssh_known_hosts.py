# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What files of known host keys say. A wrong answer lets somebody take a host's place, or locks an operator out."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.known_hosts import (
    HostKey,
    Judgement,
    Policy,
    Verdict,
    judge,
    known_types,
    matches,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st


def key(seed: str, key_type: str = "ssh-ed25519") -> HostKey:
    name = key_type.encode()
    return HostKey(key_type, len(name).to_bytes(4, "big") + name + hashlib.sha256(seed.encode()).digest())


def hashed(name: str, salt: bytes = b"saltsaltsaltsaltsalt") -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


OURS, OTHER = key("ours"), key("other")
HOST = "mx1.example.com"


def verdict(text: str, host: str = HOST, port: int = 22, shown: HostKey = OURS) -> Verdict:
    return judge(parse(text, "file"), host, port, shown).verdict


@pytest.mark.parametrize(
    "names",
    [
        HOST,
        f"other,{HOST},192.0.2.1",
        "MX1.Example.COM",
        "*",
        "*.example.com",
        "mx?.example.com",
        f"!mx2.example.com,{HOST}",
        hashed(HOST),
    ],
)
def test_a_listed_key_is_known_under_every_way_to_write_the_host(names: str) -> None:
    assert verdict(f"{names} {OURS} comment of it\n") == Verdict.KNOWN
    assert verdict(f"{names} {OTHER}\n") == Verdict.CHANGED


@pytest.mark.parametrize(
    "names",
    [
        "mx10.example.com",
        "mx1.example.com.evil.example",
        "mx1xexample.com",
        "[mx1.example.com]:2222",
        f"*.example.com,!{HOST}",
        f"!{HOST},{HOST}",
        hashed("mx2.example.com"),
        "|1|bad|hash",
        "|1|only",
    ],
)
def test_a_line_about_others_says_nothing_of_this_host(names: str) -> None:
    assert verdict(f"{names} {OTHER}\n# {HOST} {OTHER}\n\n") == Verdict.UNKNOWN


def test_the_host_name_is_compared_without_regard_to_case() -> None:
    assert verdict(f"{HOST} {OURS}\n", host="MX1.example.com") == Verdict.KNOWN
    assert verdict(f"{hashed(HOST)} {OTHER}\n", host="MX1.example.com") == Verdict.CHANGED


def test_a_host_on_another_port_is_another_host() -> None:
    assert verdict(f"[{HOST}]:2222 {OURS}\n", port=2222) == Verdict.KNOWN
    assert verdict(f"[{HOST}]:2222 {OTHER}\n", port=2222) == Verdict.CHANGED
    assert verdict(f"{hashed(f'[{HOST}]:2222')} {OTHER}\n", port=2222) == Verdict.CHANGED
    assert verdict(f"[{HOST}]:2222 {OTHER}\n", port=2223) == Verdict.UNKNOWN
    assert verdict(f"[2001:db8::1]:2222 {OURS}\n", host="2001:DB8::1", port=2222) == Verdict.KNOWN


def test_a_key_listed_without_a_port_is_good_on_each_as_it_is_for_ssh() -> None:
    assert verdict(f"{HOST} {OURS}\n", port=2222) == Verdict.KNOWN
    assert verdict(f"{HOST} {OTHER}\n", port=2222) == Verdict.UNKNOWN
    assert verdict(f"{HOST} {OURS}\n[{HOST}]:2222 {OTHER}\n", port=2222) == Verdict.CHANGED


def test_one_of_several_keys_is_enough() -> None:
    assert verdict(f"{HOST} {OTHER}\n{HOST} {key('rsa', 'ssh-rsa')}\n*.com {OURS}\n") == Verdict.KNOWN


def test_a_key_of_a_type_that_is_not_listed_has_changed() -> None:
    """Otherwise somebody in the middle only had to show a type that the file lacks."""
    assert verdict(f"{HOST} {key('rsa', 'ssh-rsa')}\n") == Verdict.CHANGED
    assert verdict(f"{HOST} {key('sk', 'sk-ssh-ed25519@openssh.com')}\n") == Verdict.CHANGED


@pytest.mark.parametrize("others", ["", f"{HOST} {OURS}\n"])
@pytest.mark.parametrize("names", ["*", HOST, hashed(HOST)])
def test_a_revoked_key_is_revoked_even_where_it_is_listed_too(others: str, names: str) -> None:
    assert verdict(f"{others}@revoked {names} {OURS}\n") == Verdict.REVOKED
    assert verdict(f"@revoked {names} {OURS}\n", port=2222, host=HOST) == Verdict.REVOKED


def test_revoking_another_key_says_nothing_of_this_one() -> None:
    assert verdict(f"@revoked * {OTHER}\n") == Verdict.UNKNOWN
    assert verdict(f"@revoked * {OTHER}\n{HOST} {OURS}\n") == Verdict.KNOWN


def test_where_an_authority_vouches_for_a_host_a_bare_key_is_not_enough() -> None:
    assert verdict(f"@cert-authority *.example.com {OTHER}\n") == Verdict.CERTIFICATE
    assert verdict(f"@cert-authority *.example.com {OURS}\n") == Verdict.CERTIFICATE
    assert verdict(f"@cert-authority *.example.com {OTHER}\n{HOST} {OURS}\n") == Verdict.KNOWN
    assert verdict(f"@cert-authority *.example.com {OTHER}\n{HOST} {key('third')}\n") == Verdict.CHANGED


@pytest.mark.parametrize(
    "line",
    [
        HOST,
        f"{HOST} ssh-ed25519",
        f"{HOST} ssh-ed25519 %%%",
        f"{HOST} ssh-rsa {str(OURS).split()[1]}",
        f"{HOST} ssh-ed25519 {base64.b64encode(b'short').decode()}",
    ],
)
def test_a_broken_line_about_the_host_is_not_passed_over(line: str) -> None:
    """It may have been the one that tells an impostor."""
    assert verdict(f"{line}\n") == Verdict.UNREADABLE
    assert verdict(f"{line}\n", host="elsewhere.example.com") == Verdict.UNKNOWN
    assert verdict(f"{line}\n{HOST} {OURS}\n") == Verdict.KNOWN


@pytest.mark.parametrize(
    "line", [f"@revoked {HOST} ssh-ed25519 AAA", f"@Revoked {HOST} {OURS}", f"@other {HOST} {OURS}"]
)
def test_a_line_that_may_revoke_a_key_is_not_passed_over_even_where_the_key_is_known(line: str) -> None:
    assert verdict(f"{line}\n") == Verdict.UNREADABLE
    assert verdict(f"{line}\n", host="elsewhere.example.com") == Verdict.UNKNOWN
    assert verdict(f"{line}\n{HOST} {OURS}\n") == Verdict.UNREADABLE


def test_keys_of_the_first_protocol_say_nothing() -> None:
    assert verdict(f"{HOST} 1024 35 1234567890\n") == Verdict.UNKNOWN


def test_the_verdict_names_the_lines() -> None:
    lines = [*parse(f"# first\n{HOST} {OTHER}\n", "/a"), *parse(f"{HOST} {OTHER}\n", "/b")]
    assert judge(lines, HOST, 22, OURS) == Judgement(Verdict.CHANGED, ("/a:2", "/b:1"))


def test_the_types_to_ask_for_are_those_that_are_known() -> None:
    text = (
        f"{HOST} {key('rsa', 'ssh-rsa')}\n*.com {OURS}\n@revoked {HOST} {key('e', 'ecdsa-sha2-nistp256')}\n{HOST} x\n"
    )
    assert known_types(parse(text, "file"), HOST, 22) == ["ssh-rsa", "ssh-ed25519"]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("admit_unknown", [False, True])
def test_only_a_known_key_connects_or_an_unknown_one_where_that_was_wanted(
    verdict: Verdict, admit_unknown: bool
) -> None:
    refusal = Policy(("/k",), admit_unknown).refusal(Judgement(verdict, ("/k:1",)), HOST, 22, OURS)
    may_connect = verdict == Verdict.KNOWN or (verdict == Verdict.UNKNOWN and admit_unknown)
    assert (refusal is None) == may_connect
    if refusal is not None:
        assert HOST in refusal
        assert "/k" in refusal


names = st.text(alphabet="abcmx123.-*?!,[]:|", min_size=1, max_size=30)


@given(names, names)
def test_any_text_is_compared_without_failing(hosts: str, name: str) -> None:
    assert matches(hosts, name) in (True, False)


@given(st.text(max_size=200))
def test_any_text_can_be_read_and_admits_no_key(text: str) -> None:
    assert judge(parse(text, "file"), HOST, 22, OURS).verdict != Verdict.KNOWN


@given(st.from_regex(r"[a-z0-9.:-]{1,40}", fullmatch=True), st.integers(1, 65535), st.binary(min_size=20, max_size=20))
def test_a_hashed_name_stands_for_itself_alone(host: str, port: int, salt: bytes) -> None:
    written = host if port == 22 else f"[{host}]:{port}"
    text = f"{hashed(written, salt)} {OTHER}\n"
    assert verdict(text, host, port) == Verdict.CHANGED
    assert verdict(text, f"{host}x", port) == Verdict.UNKNOWN
