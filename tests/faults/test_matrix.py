# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every call of a whole converge crossed with every fault: it ends well, and one more run leads to what is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.story import CALLS, FAULTS, assert_converges, assert_ends_well, converge, prepare
from unit.plugins.modules.harness import Service, Values

CELLS = [(reads, number) for reads, calls in CALLS.items() for number in range(1, calls + 1)]


@pytest.mark.parametrize("reads", CALLS)
def test_the_matrix_has_every_call(service: Service, reads: str) -> None:
    prepare(service)
    converge(service, bulk_reads=reads)
    assert len(service.log()) <= CALLS[reads]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("reads", "number"), CELLS)
def test_nothing_is_lost_or_doubled(
    service: Service,
    wanted: Values,
    record_property: Callable[[str, object], None],
    reads: str,
    number: int,
    fault: str,
) -> None:
    prepare(service)
    service.fault(nth=number, **FAULTS[fault])
    outcome = assert_ends_well(converge(service, bulk_reads=reads))
    if len(service.log()) < number:
        outcome = "comes after the last call"
    record_property("outcome", outcome)
    assert_converges(service, wanted)
