# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running programs on a backend."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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


# What a container or an image makes of a file, in a mount namespace of its own.
REFUSE = f"import sys; from {run.__module__} import refuse_fixed; refuse_fixed(sys.argv[1])"
BOUND = "touch $1/file && mount --bind $1/file $1/file && cd $1"
LAYERED = """\
for name in lower upper; do mkdir $1/$name && mount -t tmpfs tmpfs $1/$name || exit 77; done
mkdir $1/upper/files $1/upper/work $1/all && touch $1/lower/file
mount -t overlay overlay -o lowerdir=$1/lower,upperdir=$1/upper/files,workdir=$1/upper/work $1/all || exit 77
cd $1/all"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(("mounts", "refused"), [(BOUND, True), (LAYERED, False)])
def test_a_file_that_is_mounted_is_told_from_one_of_a_layer(
    mounts: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a lower layer has another device than its directory, and can be replaced all the same."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    script = f'set -e; {mounts} || exit 77; exec "$2" -c "$3" "$PWD/file"'
    done = run("unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, REFUSE)
    if done.code == 77:
        pytest.skip("this machine mounts nothing")
    assert ("is a mount point" in done.err) == refused, done.err
    assert (done.code == 0) != refused
