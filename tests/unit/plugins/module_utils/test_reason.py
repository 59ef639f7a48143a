# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a task failed is told, whatever kind of failure it was, and with no text that may hold a secret."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._reason import NO_REASON, reason

TRACEBACK = """\
Traceback (most recent call last):
  File "module.py", line 3, in main
    raise ValueError("HiddenValue")
ValueError: HiddenValue
"""

REASONS: dict[str, tuple[Any, str]] = {
    "a message": ({"failed": True, "msg": "it is broken"}, "it is broken"),
    "a message on lines": ({"msg": "it is\n broken\n"}, "it is broken"),
    "a list of messages": ({"msg": ["it is", "broken"]}, "it is; broken"),
    "an empty message": ({"failed": True, "msg": ""}, NO_REASON),
    "blanks": ({"msg": " \n"}, NO_REASON),
    "null": ({"msg": None}, NO_REASON),
    "nothing": ({}, NO_REASON),
    "no result": (None, NO_REASON),
    "a text": ("it is broken", "it is broken"),
    "unreachable": ({"unreachable": True, "msg": "timed out"}, "the host is unreachable: timed out"),
    "unreachable without a word": ({"unreachable": True, "msg": ""}, "the host is unreachable"),
    "a command": (
        {"msg": "non-zero return code", "rc": 255, "cmd": ["ss", "-H"], "stderr": "usage\nss: bad filter\n"},
        "ss ended with status 255: ss: bad filter",
    ),
    "a command that says nothing": (
        {"msg": "non-zero return code", "rc": 1, "cmd": "false"},
        "false ended with status 1",
    ),
    "a module that wrote to stderr": (
        {"msg": "MODULE FAILURE: See stdout/stderr for the exact error", "rc": 1, "module_stderr": "sudo: no tty\n"},
        "it ended with status 1: sudo: no tty",
    ),
    "a module that raised": (
        {"msg": "MODULE FAILURE\nSee stdout/stderr for the exact error", "module_stderr": TRACEBACK, "rc": 1},
        "it ended with status 1: the module ended with ValueError",
    ),
    "an exception": ({"msg": "", "exception": TRACEBACK}, "the module ended with ValueError"),
    "an exception in the message": ({"msg": TRACEBACK}, "the module ended with ValueError"),
    "an exception that is not shown": ({"exception": "(traceback unavailable)"}, "an exception in the module"),
    "a hidden result": (
        {"censored": "the output has been hidden", "failed": True},
        "the task hides its output (no_log)",
    ),
    "a loop": (
        {
            "msg": "One or more items failed",
            "results": [{"item": "a", "msg": "fine"}, {"item": "b", "failed": True, "msg": "broken"}],
        },
        "b: broken",
    ),
    "a long loop": (
        {"results": [{"item": number, "failed": True, "msg": "broken"} for number in range(5)]},
        "0: broken; 1: broken; 2: broken; and 2 more",
    ),
    "a loop over dictionaries": (
        {"results": [{"item": {"password": "x"}, "failed": True, "rc": 1}]},
        "it ended with status 1",
    ),
}


@pytest.mark.parametrize("kind", REASONS)
def test_no_failure_is_without_a_reason(kind: str) -> None:
    result, told = REASONS[kind]
    assert reason(result) == told
    assert "HiddenValue" not in reason(result)
