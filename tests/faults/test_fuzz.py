# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of another API, newer or broken: never a traceback, and what is new does not break reading."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.plugins.modules.harness import Service, Values

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FARM: Values = {"display_name": "smtp", "zone": "gra", "port": 25, "probe": {"type": "smtp"}}
TASK: Values = {
    "farms": [{**FARM, "servers": [{"address": "192.0.2.11", "status": "active", "probe": True}]}],
    "frontends": [{"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}],
}
PATHS = (".*/farm", ".*/farm/[0-9]+", ".*/server", ".*/server/[0-9]+", ".*/frontend", ".*/frontend/[0-9]+")
OTHERS = (".*/pendingChanges", ".*/task", ".*/definedFarms", "/ipLoadbalancing/[^/]+")
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMITS: Values = {"wait_timeout": 0.2, "retries": 1, "timeout": 2}


def prepared(service: Service) -> None:
    service.simulator.reset()
    service.run("load_balancer", **TASK)


@FUZZ
@given(path=st.sampled_from(PATHS + OTHERS), answer=ANYTHING, reads=st.sampled_from(["auto", "never"]))
def test_an_answer_of_any_shape_is_no_traceback(service: Service, path: str, answer: Any, reads: str) -> None:
    prepared(service)
    # A text would be sent as a page.
    body = [answer] if isinstance(answer, str) else answer
    service.fault(method="GET", path=path, status=200, body=body, count=None)
    for module, task in (("load_balancer", TASK), ("load_balancer_info", {})):
        result = service.attempt(module, **task, bulk_reads=reads, check=True, **(LIMITS if task else {}))
        assert "Traceback" not in str(result)


@FUZZ
@given(field=st.sampled_from(["probe", "port", "zone", "balance", "stickiness", "displayName", "new"]), value=ANYTHING)
def test_a_field_of_any_shape_is_no_traceback(service: Service, field: str, value: Any) -> None:
    prepared(service)
    farm = service.only("tcp/farm")
    answer = {**farm, "zone": "gra", field: value}
    service.fault(method="GET", path=".*/farm/[0-9]+", status=200, body=answer, count=None)
    result = service.attempt("load_balancer", **TASK, bulk_reads="never", check=True)
    assert "Traceback" not in str(result)
    told = service.run("load_balancer_info", gather=["farms"], bulk_reads="never")
    assert len(told["farms"]) == 1


@FUZZ
@given(name=st.sampled_from(["farms", "frontends", "routes", "certificates"]), value=ANYTHING)
def test_options_of_any_shape_are_no_traceback(service: Service, name: str, value: Any) -> None:
    service.simulator.reset()
    result = service.attempt("load_balancer", **{name: value}, check=True)
    assert "Traceback" not in str(result)
