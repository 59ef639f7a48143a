# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Becoming another user: the password goes to the prompt alone, and what is said before is no output of the command."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.dialogue import Dialogue
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.errors import SshError
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._ssh.relay import ERR, OUT
from hypothesis import given
from hypothesis import strategies as st

PROMPT, MARK = b"[sudo via ansible, key=x] password:", b"BECOME-SUCCESS-abc"


class Sudo:
    name = "sudo"
    success = MARK.decode()

    def __init__(self, has_password: bool = True) -> None:
        self._has_password = has_password

    def expect_prompt(self) -> bool:
        return self._has_password

    def check_password_prompt(self, b_output: bytes) -> bool:
        return PROMPT in b_output

    def check_success(self, b_output: bytes) -> bool:
        return MARK in b_output

    def check_incorrect_password(self, b_output: bytes) -> bool:
        return b"Sorry, try again" in b_output

    def check_missing_password(self, b_output: bytes) -> bool:
        return b"a password is required" in b_output


def heard(dialogue: Dialogue, *words: tuple[bytes, bytes]) -> list[bytes]:
    return [dialogue.hear(source, data) for source, data in words]


def test_without_become_everything_is_output() -> None:
    dialogue = Dialogue(None, "")
    assert dialogue.is_over
    assert heard(dialogue, (OUT, PROMPT), (ERR, b"e"), (OUT, b"x")) == [b"", b"", b""]
    assert dialogue.output == {OUT: PROMPT + b"x", ERR: b"e"}


@pytest.mark.parametrize("source", [OUT, ERR])
def test_the_password_answers_the_prompt_once(source: bytes) -> None:
    dialogue = Dialogue(Sudo(), "pass")
    assert heard(dialogue, (source, PROMPT[:9]), (source, PROMPT[9:] + b" "), (OUT, b"\r\n")) == [b"", b"pass\n", b""]
    assert not dialogue.is_over
    assert dialogue.hear(OUT, MARK + b"\r\nresult\r\n" + PROMPT) == b""
    assert dialogue.is_over
    assert dialogue.output == {OUT: b"result\r\n" + PROMPT, ERR: b""}


def test_a_host_that_asks_for_no_password_gets_none() -> None:
    dialogue = Dialogue(Sudo(), "pass")
    assert heard(dialogue, (OUT, MARK), (OUT, b"\nresult")) == [b"", b""]
    assert dialogue.output[OUT] == b"result"


@given(st.binary(max_size=60), st.integers(1, 20))
def test_output_is_whole_wherever_it_is_cut(result: bytes, size: int) -> None:
    said = b"lecture\r\n" + MARK + b"\r\n" + result
    dialogue = Dialogue(Sudo(has_password=False), "")
    for start in range(0, len(said), size):
        assert dialogue.hear(OUT, said[start : start + size]) == b""
    assert dialogue.is_over
    assert dialogue.output[OUT] == result


@pytest.mark.parametrize(
    ("said", "message"),
    [(b"Sorry, try again.\n", "Incorrect sudo"), (b"sudo: a password is required\n", "Missing sudo")],
)
def test_a_wrong_or_missing_password_is_an_error_that_names_the_variable(said: bytes, message: str) -> None:
    dialogue = Dialogue(Sudo(), "my-secret")
    dialogue.hear(ERR, PROMPT)
    with pytest.raises(SshError, match=f"{message} password; .*ansible_become_password") as error:
        dialogue.hear(ERR, said)
    assert "my-secret" not in str(error.value)


def test_the_words_of_a_refusal_in_a_commands_own_output_are_output() -> None:
    dialogue = Dialogue(Sudo(), "pass")
    heard(dialogue, (OUT, MARK + b"\n"), (ERR, b"Sorry, try again, a password is required"))
    assert dialogue.output[ERR].startswith(b"Sorry")


def test_what_was_said_by_one_who_never_became_another_user_is_output() -> None:
    dialogue = Dialogue(Sudo(has_password=False), "")
    dialogue.hear(ERR, b"alice is not in the sudoers file\n")
    assert not dialogue.is_over
    assert dialogue.output[ERR] == b"alice is not in the sudoers file\n"
