# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a task failed, from its result, whatever kind of failure it was. Private to the collection."""

from __future__ import annotations

import re
import typing as t

Result = t.Mapping[str, t.Any]

NO_REASON = "no reason was given; the failed task above shows more with -vvv"

# What Ansible says where the reason is elsewhere in the result.
_EMPTY = re.compile(
    r"^(module failure.*|see stdout/stderr.*|one or more items failed|all items (completed|skipped)|failed|unreachable|"
    r"non-zero return code|task failed\.?:?( module failed\.?)?|shared connection to \S+ closed\.?)$",
    re.IGNORECASE | re.DOTALL,
)
_EXCEPTION = re.compile(r"^(?:[\w.]+\.)?(\w+(?:Error|Exception|Interrupt|Exit|Warning))\b")
_MOST = 3


def reason(result: t.Any) -> str:
    """One line: the message where it says something, otherwise what else the result holds."""
    if not isinstance(result, t.Mapping):
        return _line(result) or NO_REASON
    said = _of_items(result) or _of_message(result) or _of_command(result) or _of_exception(result)
    if "censored" in result and not said:
        said = "the task hides its output (no_log)"
    if result.get("unreachable"):
        return f"the host is unreachable: {said}" if said else "the host is unreachable"
    return said or NO_REASON


def _of_message(result: Result) -> str:
    text = _line(result.get("msg"))
    if not text or _EMPTY.match(text):
        return ""
    return _kind_of_traceback(str(result["msg"])) or text


def _of_items(result: Result) -> str:
    """What failed of a loop."""
    items = [item for item in result.get("results") or () if isinstance(item, t.Mapping)]
    failed = [item for item in items if item.get("failed") or item.get("unreachable")]
    told = [f"{_label(item)}{reason(item)}" for item in failed[:_MOST]]
    more = [f"and {len(failed) - _MOST} more"] if len(failed) > _MOST else []
    return "; ".join(told + more)


def _label(item: Result) -> str:
    label = _line(item.get("_ansible_item_label", item.get("item")))
    return f"{label}: " if label and isinstance(item.get("item", ""), (str, int)) else ""


def _of_command(result: Result) -> str:
    for key in ("stderr", "module_stderr", "stdout", "module_stdout"):
        text = str(result.get(key) or "").strip()
        if text:
            told = _kind_of_traceback(text) or _line(text.splitlines()[-1])
            break
    else:
        told = ""
    code = result.get("rc")
    if code in (None, 0):
        return told
    ended = f"{_program(result)}ended with status {code}"
    return f"{ended}: {told}" if told else ended


def _program(result: Result) -> str:
    command = result.get("cmd")
    words = command if isinstance(command, (list, tuple)) else str(command or "").split()
    return f"{words[0]} " if words else "it "


def _of_exception(result: Result) -> str:
    text = str(result.get("exception") or "").strip()
    return _kind_of_traceback(text) or ("an exception in the module" if text else "")


def _kind_of_traceback(text: str) -> str:
    """Only the kind: what an exception of others says may hold a secret."""
    if "Traceback (most recent call last)" not in text:
        return ""
    kinds = [match.group(1) for match in map(_EXCEPTION.match, map(str.strip, text.splitlines())) if match]
    return f"the module ended with {kinds[-1]}" if kinds else "an exception in the module"


def _line(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return "; ".join(filter(None, map(_line, value)))
    return "" if value is None else " ".join(str(value).split())
