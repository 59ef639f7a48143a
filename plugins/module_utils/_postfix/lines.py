# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How main.cf and master.cf are written: lines, words and braces, as postconf(5) and master(5) have them. Pure. Private
to the collection.

The collection edits the text itself, and Postfix's own postconf judges the result. As an editor postconf (3.7,
measured) glues a new line to a last one that has no end, moves the comments after an entry in front of it, cuts a line
at a NUL, and makes a comment of arguments that begin with ``#``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    BLANKS,
    MAIN,
    MASTER,
    Entry,
    PostfixError,
    words,
)


@dataclass(frozen=True)
class Piece:
    """A logical line with all that stands between its first and its last line, or a comment or blank line (no name)."""

    name: str
    """The parameter, or the service as ``name/type``."""
    lines: tuple[str, ...]

    @property
    def said(self) -> str:
        return " ".join(line.strip(BLANKS) for line in self.lines if not _says_nothing(line))

    @property
    def comments(self) -> tuple[str, ...]:
        return tuple(line for line in self.lines if _says_nothing(line))


def pieces(file: str, text: str) -> list[Piece]:
    """The file, cut into pieces that together are the text."""
    found: list[Piece] = []
    waiting: list[str] = []  # they belong to the logical line before them if that goes on
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if _says_nothing(line):
            waiting.append(line)
        elif line[0] in BLANKS and found and found[-1].name:
            found[-1] = Piece(found[-1].name, (*found[-1].lines, *waiting, line))
            waiting = []
        else:
            found += [Piece("", (comment,)) for comment in waiting]
            found.append(Piece(_name(file, line), (line,)))
            waiting = []
    return found + [Piece("", (comment,)) for comment in waiting]


def _says_nothing(line: str) -> bool:
    return line.strip(BLANKS)[:1] in ("", "#")


def _name(file: str, line: str) -> str:
    """Empty for a line that goes on with nothing: Postfix warns of it and ignores it."""
    if line[0] in BLANKS:
        return ""
    if file == MAIN:
        return re.split(rf"[{BLANKS}=]", line, maxsplit=1)[0]
    return "/".join(words(line)[:2])


def edit(file: str, text: str, wanted: Mapping[str, str | None]) -> str:
    """The text with these logical lines replaced, added at the end, or (None) removed. All others stay as they are.

    Comments within a replaced line come before it. Of several lines of one name the last counts: it is replaced, and
    the others go. Whoever edits the file next finds an end at its last line.
    """
    if not wanted:
        return text
    before = pieces(file, text)
    last = {piece.name: place for place, piece in enumerate(before)}
    lines: list[str] = []
    for place, piece in enumerate(before):
        if piece.name not in wanted:
            lines += piece.lines
            continue
        lines += piece.comments
        if place == last[piece.name]:
            lines.append(wanted[piece.name] or "")
    lines += [line for name, line in wanted.items() if line and name not in last]
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines if line)


def untouched(file: str, text: str, touched: set[str]) -> list[str]:
    """The lines that an edit of these names leaves alone, comments within them included."""
    kept = [piece.comments if piece.name in touched else piece.lines for piece in pieces(file, text)]
    return [line if line.endswith("\n") else f"{line}\n" for lines in kept for line in lines]


def parameters(text: str) -> dict[str, str]:
    """What main.cf sets, as it is written there."""
    found = {}
    for piece in pieces(MAIN, text):
        if piece.name:
            found[piece.name] = piece.said.partition("=")[2].strip(BLANKS)
    return found


def parameter_line(name: str, value: str) -> str:
    return f"{name} = {value}".rstrip(" ") + "\n"


def entry_lines(entry: Entry) -> str:
    """The entry in the form that postconf gives it."""
    name, kind, *columns, command = entry.columns
    options = [f"    -o {_option(name, value)}\n" for name, value in entry.overrides.items()]
    line = f"{name:<10} {kind:<5} " + "".join(f"{column:<7} " for column in columns) + command
    if not options:
        return " ".join([line, entry.arguments]).rstrip(" ") + "\n"
    # Options come before a command's own arguments: pipe(8).
    return "".join([f"{line}\n", *options, f"    {entry.arguments}\n" if entry.arguments else ""])


def _option(name: str, value: str) -> str:
    return f"{{{name}={value}}}" if re.search(r"[ \t\r\n]", value) else f"{name}={value}"


def is_balanced(text: str) -> bool:
    """Whether every brace has its partner: master(5) splits at blanks except within braces."""
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def refuse_unsafe(file: str, text: str, touched: Collection[str]) -> None:
    """Raise for a file, or for lines of it, that can not be edited without harm."""
    if not touched:
        return
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise PostfixError(
            f"{file}: line {line} holds a NUL byte, at which Postfix ends the line: remove it, and see what was meant"
        )
    if file != MASTER:
        return
    there = [piece for piece in pieces(file, text) if piece.name in touched]
    for piece in there:
        if not is_balanced(piece.said):
            raise PostfixError(
                f"master.cf: entry {piece.name} has an unbalanced brace, which swallows what follows it: correct it by "
                "hand, then run this again"
            )
        entries = [other.name for other in there].count(piece.name)
        if entries > 1:
            raise PostfixError(
                f"master.cf has {entries} entries {piece.name}, of which Postfix uses the last: remove the others, "
                "then run this again"
            )


def refuse_misread(text: str, services: Collection[str]) -> None:
    """Raise for an option of an entry that postconf (3.7, measured) takes for another one than the program does.

    It reads ``-osyslog_name=x`` as ``-o sysl -o g_name=x``, and no override in ``{-o name=value}``.
    """
    for piece in pieces(MASTER, text):
        if piece.name not in services:
            continue
        arguments = words(piece.said)[8:]
        while arguments:
            option = arguments.pop(0).strip("{}" + BLANKS)
            if not option.startswith("-") or option in ("-", "--"):
                break
            if option == "-o":
                arguments = arguments[1:]
            elif "o" in option:
                name = re.split("[ =]", option, maxsplit=1)[0]
                raise PostfixError(
                    f"master.cf: entry {piece.name} has an option that postconf misreads, {name}: write it as -o "
                    "name=value, with a blank after -o and no brace before it, then run this again"
                )


def refuse_unwritable(entry: Entry) -> None:
    """Raise for an entry that would not be read as it is meant, whoever wrote its parts."""
    for name, value in entry.overrides.items():
        if not is_balanced(value):
            raise PostfixError(
                f"master.cf: the value of {entry.service}/{name} has an unbalanced brace, which swallows what follows "
                "it: correct it by hand, then run this again"
            )
    for word in words(entry.arguments):
        if not is_balanced(word):
            raise PostfixError(
                f"master.cf: an argument of {entry.service} has an unbalanced brace, which swallows what follows it: "
                "correct it by hand, then run this again"
            )
        if word.startswith("#"):
            raise PostfixError(
                f"master.cf: {entry.service} has a comment at the end of a line, which Postfix takes for arguments: "
                "put it on a line of its own, then run this again"
            )
