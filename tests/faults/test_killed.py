# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed after any of its calls leaves nothing that the next one can not finish."""

from __future__ import annotations

import pytest

from faults.process import start
from faults.story import CALLS, TASK, assert_converges, prepare
from tools.waiting import eventually
from unit.plugins.modules.harness import Service, Values


@pytest.mark.parametrize("carried_out", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("number", range(1, CALLS["auto"] + 1))
def test_the_run_after_a_kill_finishes_the_work(
    service: Service, wanted: Values, number: int, carried_out: bool
) -> None:
    prepare(service)
    # The call gets no answer, so the run can not come far beyond it.
    service.fault(nth=number, hang=True, carried_out=carried_out)
    process = start(service, "load_balancer", **TASK)
    eventually(lambda: process.poll() is not None or len(service.log()) >= number, f"call {number} did not come", 60)
    process.kill()
    process.communicate()
    assert_converges(service, wanted)
