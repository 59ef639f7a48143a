# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault at three calls of a whole converge; ``make faults`` tries every call."""

from __future__ import annotations

import pytest

from faults.story import FAULTS, assert_converges, assert_ends_well, converge, prepare, state
from unit.plugins.modules.harness import Service, Values

NUMBERS = (7, 27, 38)  # of a read, of a creation, and when what is written goes live
_kept: Values = {}


@pytest.fixture
def wanted(service: Service) -> Values:
    """What the converge leads to when nothing disturbs it."""
    if not _kept:
        prepare(service)
        assert not converge(service).get("failed")
        _kept.update(state(service))
    return _kept


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_or_doubled(service: Service, wanted: Values, fault: str, number: int) -> None:
    prepare(service)
    service.fault(nth=number, **FAULTS[fault])
    assert_ends_well(converge(service))
    assert_converges(service, wanted)
