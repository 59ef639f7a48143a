# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pace for all processes of a user that share a consumer key."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb import pace as _pace
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.pace import Pace

from unit.plugins.module_utils.iplb.clock import Clock

KEY = "the-consumer-key"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_pace, "time", clock)
    return clock


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "shared")


def test_calls_are_as_far_apart_as_the_pace_says(clock: Clock, directory: str) -> None:
    pace = Pace(60, KEY, [directory])
    start = clock.time()
    for _call in range(5):
        pace.wait()
    assert clock.time() - start == pytest.approx(4)
    assert pace.waited == pytest.approx(4)


def test_two_processes_share_one_budget(clock: Clock, directory: str) -> None:
    start = clock.time()
    for number in range(6):
        Pace(60, KEY, [directory]).wait()
        if number % 2:
            Pace(60, "another key", [directory]).wait()
    assert clock.time() - start == pytest.approx(5)


def test_a_slot_booked_by_a_clock_that_was_wrong_does_not_stop_everybody(clock: Clock, directory: str) -> None:
    pace = Pace(60, KEY, [directory])
    pace.wait()
    (file,) = Path(directory).iterdir()
    for left in (repr(clock.time() + 10**6), "cut", ""):
        file.write_text(left)
        before = clock.time()
        pace.wait()
        assert clock.time() - before <= 1


def test_the_key_stands_nowhere_and_nobody_else_can_read_the_file(clock: Clock, directory: str) -> None:
    Pace(60, KEY, [directory]).wait()
    (file,) = Path(directory).iterdir()
    assert KEY not in file.name + file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


@pytest.mark.parametrize("trap", ["readable", "link", "file"])
def test_a_directory_that_is_not_this_user_s_alone_is_not_used(clock: Clock, tmp_path: Path, trap: str) -> None:
    shared, other = tmp_path / "shared", tmp_path / "other"
    other.mkdir(mode=0o700)
    if trap == "readable":
        shared.mkdir(mode=0o755)
    elif trap == "link":
        shared.symlink_to(other)
    else:
        shared.write_text("")
    start = clock.time()
    pace = Pace(60, KEY, [str(shared)])
    for _call in range(3):
        pace.wait()
    assert clock.time() - start == pytest.approx(2), "each process keeps the pace alone then"
    assert list(other.iterdir()) == []


def test_a_link_in_place_of_the_file_is_not_followed(clock: Clock, directory: str, tmp_path: Path) -> None:
    Pace(60, KEY, [directory]).wait()
    (file,) = Path(directory).iterdir()
    file.unlink()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    file.symlink_to(victim)
    Pace(60, KEY, [directory]).wait()
    assert victim.read_text() == "precious"


def test_a_killed_process_leaves_nothing_that_others_wait_for(directory: str) -> None:
    program = (
        f"import os, signal; from {Pace.__module__} import Pace; pace = Pace(6000, {KEY!r}, [{directory!r}]); "
        "pace.wait(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert done.returncode == -9
    before = time.monotonic()
    Pace(6000, KEY, [directory]).wait()
    assert time.monotonic() - before < 5
