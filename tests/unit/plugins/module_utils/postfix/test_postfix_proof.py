# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines of Postfix's files, what can not be written, and the proof of a plan: without a Postfix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import lines
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.changes import edited, plan_changes
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import with_listeners
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
    words,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.proof import State, prove
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.request import read_request
from hypothesis import given
from hypothesis import settings as settings_
from hypothesis import strategies as st

from unit.plugins.module_utils.postfix.postfix_texts import main_files, master_files

FILES = ("main.cf", "master.cf")


# Lines ---------------------------------------------------------------------------------------------------------------


@settings_(deadline=None, max_examples=50)
@given(main_files("/spool"), master_files())
def test_the_pieces_of_a_file_are_the_file(main: str, master: str) -> None:
    for file, text in zip(FILES, (main, master)):
        assert "".join(line for piece in lines.pieces(file, text) for line in piece.lines) == text
        assert lines.edit(file, text, {}) == text


@settings_(deadline=None, max_examples=50)
@given(master_files(), st.sampled_from(["smtp/inet", "maildrop/unix", "none/unix"]))
def test_an_edit_leaves_every_other_line(text: str, service: str) -> None:
    edited_text = lines.edit("master.cf", text, {service: "new\n"})
    assert lines.untouched("master.cf", text, {service}) == [
        line for line in lines.untouched("master.cf", edited_text, {service}) if line != "new\n"
    ]
    assert edited_text.endswith("\n")


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("a  b\tc\r", ["a", "b", "c"]),
        ("-o {a = b c} d", ["-o", "{a = b c}", "d"]),
        ("{a {b c} d} e", ["{a {b c} d}", "e"]),
        ("a} b", ["a}", "b"]),
        ("{a b", ["{a b"]),
        ("a\u00a0b c\u2028d", ["a\u00a0b", "c\u2028d"]),
    ],
)
def test_words_are_those_of_master_cf(text: str, split: list[str]) -> None:
    assert words(text) == split


# What can not be written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"parameters": {"smtpd_banner": "a\0b"}}, r"parameters\.smtpd_banner holds the control character U\+0000"),
        ({"parameters": {"smtpd_banner": ["a", "b\x0b"]}}, r"parameters\.smtpd_banner holds .*U\+000B"),
        ({"services": {"smtp/inet": {"x": "\x7f"}}}, r"services\.smtp/inet\.x holds .*U\+007F"),
        (
            {"parameters": {"mynetworks": "192.0.2.1\n# why\n192.0.2.2"}},
            r"parameters\.mynetworks has a line that",
        ),
        ({"services": {"smtp/inet": {"x": "a { b"}}}, r"services\.smtp/inet\.x has an unbalanced brace"),
        ({"services": {"smtp/inet": {"x": ["}", "{"]}}}, r"services\.smtp/inet\.x has an unbalanced brace"),
        ({"services": {"#smtp/inet": {"x": "a"}}}, "services: '#smtp/inet'"),
        ({"services": {"-e/inet": {"x": "a"}}}, "services: '-e/inet'"),
        ({"services": {"s{/inet": {"x": "a"}}}, "services: 's{/inet'"),
        (
            {"new_services": {"9/inet": {"command": "smtpd {"}}},
            r"services\.9/inet\.command has an unbalanced",
        ),
        (
            {"new_services": {"9/inet": {"command": "smtpd -v -o a=b"}}},
            r"command: write what follows -o",
        ),
        ({"new_services": {"9/inet": {"command": "smtpd # why"}}}, r"9/inet\.command .* no word with #"),
        ({"new_services": {"9/inet": {"command": "#smtpd"}}}, r"9/inet\.command must begin with the name of a program"),
        ({"new_services": {"9/inet": {"command": "-v"}}}, r"9/inet\.command must begin with the name of a program"),
        (
            {"new_services": {"9/inet": {"command": "smtpd", "parameters": {"x": "}"}}}},
            r"parameters\.x has an un",
        ),
        ({"new_services": {"9/inet": {"command": "smtpd", "maxproc": "٣"}}}, r"9/inet\.maxproc"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(options: dict[str, Any], names: str) -> None:
    arguments: dict[str, Any] = {"parameters": {}, "services": {}, "new_services": {}, **options}
    with pytest.raises(PostfixError, match=names):
        read_request(**arguments)


def test_a_delivery_program_may_have_options_of_its_own() -> None:
    request = read_request({}, {}, {"x/unix": {"command": "pipe  -v flags=R\targv=/bin/x -o {a  b}"}})
    entry = request.new_services["x/unix"]
    assert entry
    assert (entry.command, entry.arguments) == ("pipe", "-v flags=R argv=/bin/x -o {a  b}")


@pytest.mark.parametrize(
    ("main", "master", "names"),
    [
        ("a = b\0c\n", "smtp inet n - - - - smtpd\n", r"main\.cf: line 1 holds a NUL byte"),
        ("", "x unix - - - - - y\nsmtp inet n - - - - smtpd -o a=\0b\n", r"master\.cf: line 2 holds a NUL byte"),
        ("", "smtp inet n - - - - smtpd -o a={ -o b=c\n", "entry smtp/inet has an unbalanced brace"),
        ("", "smtp inet n - - - - smtpd\n" * 2, "2 entries smtp/inet"),
    ],
)
def test_files_that_an_edit_would_harm_are_refused(main: str, master: str, names: str) -> None:
    before = Settings(entries={"smtp/inet": Entry("smtp/inet", command="smtpd")})
    request = Request(parameters={"new": "1"}, services={"smtp/inet": {"new": "1"}})
    with pytest.raises(PostfixError, match=names):
        edited({"main.cf": main, "master.cf": master}, before, request, plan_changes(before, request))


# The proof -----------------------------------------------------------------------------------------------------------

MAIN = "mydestination = example.test\n# why\nrelayhost =\n"
MASTER = "smtp inet n - - - - smtpd\n    -o syslog_name=x\nrelay unix - - - - - smtp\n"
GUARD = {
    "smtpd_upstream_proxy_protocol": "$smtp_upstream_proxy_protocol",
    "mynetworks": "",
    "smtpd_authorized_xclient_hosts": "",
    "smtpd_authorized_xforward_hosts": "",
}


def settings(parameters: Mapping[str, str], **overrides: str) -> Settings:
    smtp = Entry("smtp/inet", private="n", command="smtpd", overrides={"syslog_name": "x", **overrides})
    entries = {"smtp/inet": smtp, "relay/unix": Entry("relay/unix", command="smtp")}
    expanded = {
        ("smtp/inet", name): "haproxy" if value.startswith("$") else value for name, value in smtp.overrides.items()
    }
    return Settings(parameters=parameters, entries=entries, expanded=expanded)


BEFORE = State({"main.cf": MAIN, "master.cf": MASTER}, settings({"mydestination": "example.test", "relayhost": ""}))
REQUEST = with_listeners(BEFORE.settings, Request(listeners=(Listener(trusted_clients=()),)), lambda _address: False)
CHANGES = plan_changes(BEFORE.settings, REQUEST)
PARAMETERS = {"mydestination": "example.test", "relayhost": "", "smtp_upstream_proxy_protocol": "haproxy"}
AFTER = State(edited(BEFORE.files, BEFORE.settings, REQUEST, CHANGES), settings(PARAMETERS, **GUARD))


def test_a_plan_that_came_true_is_proven() -> None:
    prove(BEFORE, AFTER, REQUEST, REQUEST, CHANGES)
    prove(BEFORE, BEFORE, Request(), Request(), [])


def damaged(files: Mapping[str, str] | None = None, **read: Any) -> State:
    return State({**AFTER.files, **(files or {})}, replace(AFTER.settings, **read))


ENTRIES = AFTER.settings.entries


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (
            damaged(parameters={**PARAMETERS, "mydestination": "example.testsmtp_upstream_proxy_protocol = haproxy"}),
            "another value of mydestination",
        ),
        (damaged(parameters={"mydestination": "example.test"}), "another value of relayhost"),
        (damaged(parameters={**PARAMETERS, "new": ""}), "another value of new"),
        (damaged(entries={"smtp/inet": ENTRIES["smtp/inet"]}), "entry relay/unix is not there"),
        (damaged(entries={**ENTRIES, "x/unix": Entry("x/unix")}), "entry x/unix is there"),
        (
            damaged(entries={**ENTRIES, "relay/unix": Entry("relay/unix", chroot="y", command="smtp")}),
            "entry relay/unix is another",
        ),
        (damaged(entries=dict(reversed(list(ENTRIES.items())))), "another order"),
        (
            damaged(entries={**ENTRIES, "smtp/inet": replace(ENTRIES["smtp/inet"], overrides=GUARD)}),
            "entry smtp/inet is another",
        ),
        (damaged(entries=settings({}, **{**GUARD, "mynetworks": "::/0"}).entries), r"smtp/inet/mynetworks is '::/0'"),
        (
            damaged(expanded={**AFTER.settings.expanded, ("smtp/inet", "smtpd_upstream_proxy_protocol"): ""}),
            "the guard's smtp/inet/smtpd_upstream_proxy_protocol is '', not 'haproxy'",
        ),
        (damaged({"main.cf": AFTER.files["main.cf"].replace("# why\n", "")}), r"main\.cf has other lines"),
        (damaged({"master.cf": AFTER.files["master.cf"] + "#\n"}), r"master\.cf has other lines"),
    ],
)
def test_nothing_that_an_edit_lost_or_added_goes_live(after: State, names: str) -> None:
    with pytest.raises(PostfixError, match=rf"nothing was written: .*{names}"):
        prove(BEFORE, after, REQUEST, REQUEST, CHANGES)


def test_a_proof_shows_no_value_of_what_it_does_not_change() -> None:
    after = damaged(parameters={**PARAMETERS, "relayhost": "secret"})
    with pytest.raises(PostfixError) as caught:
        prove(BEFORE, after, REQUEST, REQUEST, CHANGES)
    assert "secret" not in str(caught.value)
