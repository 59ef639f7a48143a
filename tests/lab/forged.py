# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of attacks: what a client may say to a backend, or to the service, to be taken for somebody else.

The words are those of ``attack.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .backend import PARTNER, TRUSTED

VICTIM = "elsewhere.example"
LOOPBACK6 = r"\x00" * 15 + r"\x01"
V2 = r"\r\n\r\n\x00\r\nQUIT\n"
MAIL = (r"EHLO x\r\n", r"MAIL FROM:<a@evil.example>\r\n", rf"RCPT TO:<b@{VICTIM}>\r\n", r"DATA\r\n", r"x\r\n.\r\n")


def v1(claim: str) -> str:
    return rf"PROXY TCP4 {claim} 192.0.2.11 4000 25\r\n"


def v2(claim: str) -> str:
    address = "".join(f"\\x{int(part):02x}" for part in claim.split("."))
    return rf"{V2}\x21\x11\x00\x0c{address}\xc0\x00\x02\x0b\x0f\xa0\x00\x19"


CLAIMS = {
    "loopback": "127.0.0.1",
    "a member of mynetworks": PARTNER,
    "a trusted partner": TRUSTED,
    "itself": "192.0.2.11",
}

# What a header makes of a connection. Each is followed by an attempt to relay.
FORGED = {
    **{f"v1 as {who}": (v1(claim), *MAIL) for who, claim in CLAIMS.items()},
    **{f"v2 as {who}": (v2(claim), *MAIL) for who, claim in CLAIMS.items()},
    "v2 LOCAL": (rf"{V2}\x20\x00\x00\x00", *MAIL),
    "v1 UNKNOWN": (r"PROXY UNKNOWN\r\n", *MAIL),
    "v1 TCP6 as ::1": (r"PROXY TCP6 ::1 ::1 4000 25\r\n", *MAIL),
    "v2 as ::1": (rf"{V2}\x21\x21\x00\x24{LOOPBACK6}{LOOPBACK6}\x0f\xa0\x00\x19", *MAIL),
    "v1 as mapped loopback": (r"PROXY TCP6 ::ffff:127.0.0.1 ::1 4000 25\r\n", *MAIL),
    "XCLIENT": (v1("203.0.113.66"), MAIL[0], r"XCLIENT ADDR=127.0.0.1 NAME=localhost\r\n", *MAIL),
    "XCLIENT as loopback": (v1("127.0.0.1"), MAIL[0], r"XCLIENT ADDR=127.0.0.1 NAME=localhost\r\n", *MAIL),
    "XFORWARD as loopback": (v1("127.0.0.1"), MAIL[0], r"XFORWARD ADDR=127.0.0.1 NAME=localhost\r\n", *MAIL),
    "header twice": (v1("203.0.113.66") + v1("127.0.0.1"), *MAIL),
    "v1 then v2": (v1("203.0.113.66") + v2("127.0.0.1"), *MAIL),
    "two segments": (v1("127.0.0.1").replace(" 127", "<pause> 127"), *MAIL),
    "two segments of v2": (v2("127.0.0.1").replace("QUIT", "<pause>QUIT"), *MAIL),
    "cut short": (r"PROXY TCP4 127.0.0.1", *MAIL),
    "no such family": (r"PROXY TCP9 127.0.0.1 127.0.0.1 4000 25\r\n", *MAIL),
    "v2 of a socket": (rf"{V2}\x21\x31\x00\xd8" + r"\x2f" * 216, *MAIL),
    "v2 too long": (rf"{V2}\x21\x11\xff\xff" + r"\x00" * 500, *MAIL),
    "64 kB of garbage": ("<garbage>", *MAIL),
    "no header, speaks": MAIL,
    "no header, waits": ("", *MAIL),
}
# What a client may say to the service, which adds a header of its own.
THROUGH = {
    "plainly": ("", *MAIL),
    "with a header": (v1("127.0.0.1"), *MAIL),
    "with a header of v2": (v2("127.0.0.1"), *MAIL),
    "with a header, later": ("", v1("127.0.0.1"), *MAIL),
    "XCLIENT": ("", MAIL[0], r"XCLIENT ADDR=127.0.0.1 NAME=localhost\r\n", *MAIL),
    "XFORWARD": ("", MAIL[0], r"XFORWARD ADDR=127.0.0.1 NAME=localhost\r\n", *MAIL),
    "garbage": ("<garbage>", *MAIL),
}


def is_relayed(answers: Iterable[str]) -> bool:
    """Whether a recipient of somebody else's domain was taken, or the message itself."""
    return any(re.search(r"^250 2\.1\.5|^354", answer, re.M) for answer in answers)


def reply_to(answers: Sequence[str], word: int) -> str:
    return answers[word][:3] if len(answers) > word else "---"
