# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running programs on a backend."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.host import run


@pytest.mark.parametrize("terminal", [True, False])
def test_a_program_may_say_much_before_it_says_why(terminal: bool) -> None:
    """A terminal holds 4 kB, and a full one stops the program."""
    script = "yes warning | head -n 20000 >&2; echo reason >&2; exit 3"
    done = run("sh", "-c", script, timeout=30, terminal=terminal)
    assert done.code == 3
    assert done.err.splitlines()[-1] == "reason"
    assert done.err.count("warning") == 20000


def test_a_daemon_that_keeps_the_terminal_is_not_waited_for() -> None:
    done = run("sh", "-c", "echo started >&2; sleep 60 >/dev/null & echo $!", timeout=30, terminal=True)
    assert run("kill", done.out.strip()).code == 0, "it was waited for"
    assert (done.code, done.err.strip()) == (0, "started")


def test_a_program_that_does_not_end_is_given_up() -> None:
    assert run("sleep", "60", timeout=0.1, terminal=True).code is None
