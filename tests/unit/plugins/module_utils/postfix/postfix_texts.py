# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of Postfix as hosts have them, and requests as tasks make them, at random.

Bytes that are no UTF-8 stand in the texts as the surrogates of ``surrogateescape``.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LATIN1 = "\udce9t\udce9"
SERVICES = {
    "smtp/inet": "smtp inet n - y - - smtpd",
    "10025/inet": "10025 inet n - n - - smtpd",
    "127.0.0.1:10026/inet": "127.0.0.1:10026 inet n - n - 10 smtpd",
    "submission/inet": "submission inet n - y - - smtpd",
    "2525/inet": "2525 inet n - n - 1 postscreen",
    "smtpd/pass": "smtpd pass - - y - - smtpd",
    "relay/unix": "relay unix - - y - - smtp",
    "maildrop/unix": "maildrop unix - n n - - pipe",
}
PARAMETERS = (
    "mail_name",
    "message_size_limit",
    "mydestination",
    "mynetworks",
    "relayhost",
    "smtpd_banner",
    "smtpd_client_connection_rate_limit",
    "smtpd_client_restrictions",
    "smtpd_helo_required",
    "syslog_name",
    "smtp_upstream_proxy_protocol",
    "site_note",
)
# Plain ones often, the others for what they do to those who edit lines.
_WORDS = (
    *("a", "b,", "hash:/etc/x", "yes", "$myhostname", "$site_note", "192.0.2.0/24", "x=y", "postfix/lb") * 3,
    *("{", "}", "{a}", "{ a b }", "}{", "a{", "{{b}", "#c", "# c", LATIN1, "é", "\u00a0", "\u2028x", "\x85"),
    *("-o", "-v", "x\\", '"q', "'", "a\tb", "a  b", "a\x0bb", "a\x0cb", "\x0c", "a\0b"),
)
_GAPS = st.sampled_from([" "] * 6 + ["  ", "\t", "\n  ", "\n\t", "\n# within\n    ", "\n\n  ", "\n   \n # in\n "])
_COMMENTS = st.sampled_from(
    [
        "# a comment",
        "#relayhost = x",
        "",
        "   ",
        "#smtpd pass - - - - - smtpd",
        "  # later",
        f"# {LATIN1}",
        "#\x0b x = y",
    ]
)


_PROXY = ("haproxy", "", "$smtp_upstream_proxy_protocol", "$site_note")


@st.composite
def _value(draw: st.DrawFn) -> str:
    text = ""
    for word in draw(st.lists(st.sampled_from(_WORDS), max_size=4)):
        text += (draw(_GAPS) if text else "") + word
    return text


@st.composite
def _parameter(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["smtpd_upstream_proxy_protocol = haproxy", "smtpd_upstream_proxy_protocol ="]))
    name = draw(st.sampled_from(PARAMETERS))
    equals = draw(st.sampled_from([" = ", "=", " =", "= ", "\t=\t", " =\n  "]))
    return f"{name}{equals}{draw(_value())}"


_OPTION_VALUES = st.sampled_from([word for word in _WORDS if not set(word) & set(" \t\n")])


@st.composite
def _option(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([f"-o smtpd_upstream_proxy_protocol={value}" for value in _PROXY]))
    name = draw(st.sampled_from(PARAMETERS))
    form = draw(st.sampled_from(["-o {0}={1}"] * 4 + ["-o{0}={1}", "-o {{{0} = {2} }}", "-o {{ {0}={2}}}", "-v", "-D"]))
    return form.format(name, draw(_OPTION_VALUES), draw(_value()).replace("\n#", "\n #"))


@st.composite
def _entry(draw: st.DrawFn, service: str) -> str:
    text = draw(st.sampled_from([" ", "\t", "   "])).join(SERVICES[service].split())
    for option in draw(st.lists(_option(), max_size=4)):
        text += draw(_GAPS) + option
    if service == "maildrop/unix":
        text += draw(_GAPS) + "flags=DRhu user=vmail argv=/usr/bin/maildrop -d ${recipient} -o {a  b}"
    return text + draw(st.sampled_from([""] * 8 + [" # end", " #", "  ", " -v -o"]))


@st.composite
def main_files(draw: st.DrawFn, queue_directory: str) -> str:
    first = f"compatibility_level = 2\nmyhostname = backend.example.test\nqueue_directory = {queue_directory}"
    return draw(_file([first, *draw(st.lists(_parameter(), max_size=6))]))


@st.composite
def master_files(draw: st.DrawFn) -> str:
    services = draw(st.permutations(sorted(SERVICES)))[: draw(st.integers(4, len(SERVICES)))]
    twice = draw(st.sampled_from([False] * 20 + [True]))
    entries = [draw(_entry(service)) for service in (*services, *services[: 1 if twice else 0])]
    return draw(_file(["pickup unix n - y 60 1 pickup", *entries]))


@st.composite
def _file(draw: st.DrawFn, lines: list[str]) -> str:
    text = draw(st.sampled_from([""] * 12 + ["  lost = 1\n", "# top\n\n  -o lost\n"]))
    for line in lines:
        text += "".join(f"{comment}\n" for comment in draw(st.lists(_COMMENTS, max_size=1))) + f"{line}\n"
    text = text[:-1] + draw(st.sampled_from(["\n"] * 6 + ["", "", "\n\n", "\n  ", "\n# last", "\n#", "\r\n"]))
    return text.replace("\n", "\r\n") if draw(st.sampled_from([False] * 6 + [True])) else text


# What a task writes --------------------------------------------------------------------------------------------------

_TEXT = st.lists(st.sampled_from([*_WORDS, "\n", "\nb", "\n# c\n", "\r", "\0", "\x07", "$"]), max_size=4).map(" ".join)
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 10**7),
    st.lists(st.sampled_from(["a", "b c", True, 3]), max_size=3),
    _TEXT,
    _TEXT,
)
_SETTINGS = st.dictionaries(st.sampled_from(PARAMETERS), _VALUES, max_size=2)
_COMMANDS = st.sampled_from(
    ["smtpd"] * 6
    + [
        "smtpd -v",
        "pipe flags=R  argv=/bin/x -o {a  b}",
        "smtpd -o a=b",
        "smtpd {",
        "smtpd # x",
        "error",
        "smtpd }",
        "#smtpd",
    ]
)
_NEW = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"command": _COMMANDS},
        optional={"chroot": st.booleans(), "maxproc": st.integers(0, 5), "parameters": _SETTINGS},
    ),
)
_NAMES = st.sampled_from([*SERVICES, "2526/inet", "[::1]:2527/inet", "2528/inet"])
_SMTP = st.sampled_from([*sorted(SERVICES)[:5], "smtp/inet", "2526/inet"])
_LISTENERS = st.lists(
    st.fixed_dictionaries(
        {
            "service": _SMTP,
            "present": st.booleans(),
            "trusted_clients": st.sampled_from([(), ("192.0.2.0/24",), ("192.0.2.1", "2001:db8::/32")]),
            "balancer_networks": st.sampled_from([(), ("198.51.100.128/29",)]),
            "allow_address_permits": st.booleans(),
        }
    ),
    max_size=3,
)


def requests() -> st.SearchStrategy[dict[str, Any]]:
    """The options of a task: ``parameters``, ``services``, ``new_services`` and what makes the listeners."""
    return st.fixed_dictionaries(
        {
            "parameters": _SETTINGS,
            "services": st.dictionaries(st.sampled_from(sorted(SERVICES)), _SETTINGS, max_size=1),
            "new_services": st.dictionaries(_NAMES, _NEW, max_size=1),
            "listeners": _LISTENERS,
        }
    )
