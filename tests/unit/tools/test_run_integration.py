# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make switches` runs under every setting that it promises."""

from __future__ import annotations

from simulator.switches import MIXED
from tools.run_integration import MIXTURES, SET_ASIDE, settings


def test_the_mixtures_have_every_setting_that_is_not_set_aside() -> None:
    met = {setting for number in range(1, len(MIXTURES) + 1) for setting in settings(number)}
    every = {f"{switch.name}={value}" for switch in MIXED for value in switch.values}
    assert every - met == {f"{name}={value}" for name, value in SET_ASIDE.items()}
