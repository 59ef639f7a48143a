# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of the API is whole: what it names exists in it."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.description import CREATE, ENUMS, MODELS, OPERATIONS, READ, SECRET, WRITE

BASIC = {
    *("boolean", "date", "datetime", "ip", "ipBlock", "ipv4", "ipv6", "long", "string", "text", "uuid"),
    *("map", "map[string]string"),
}
# Answers of operations that nobody here needs.
NOT_DESCRIBED = {
    *("Credential", "InstancesState", "LdpKind", "LdpSubscription", "LogSubscriptionResponse", "LogUrl"),
    "MetricsToken",
}


def named_types() -> Iterator[str]:
    for model in MODELS.values():
        yield from (entry.type for entry in model.values())
    for operation in OPERATIONS.values():
        yield from (name for name in (operation.returns, operation.expanded) if name)


def test_every_type_that_is_named_is_described() -> None:
    named = {name.removesuffix("[]") for name in named_types()}
    assert named - BASIC - set(MODELS) - set(ENUMS) == NOT_DESCRIBED


def test_every_model_and_enumeration_is_used() -> None:
    named = {name.removesuffix("[]") for name in named_types()}
    assert (set(MODELS) | set(ENUMS)) - named == set()


def test_fields_say_what_a_client_may_do_with_them() -> None:
    for model in MODELS.values():
        for entry in model.values():
            assert entry.access in (WRITE, CREATE, READ, SECRET)
            assert not (entry.required and (entry.nullable or entry.access == READ)), entry


def test_lists_answer_what_their_items_are() -> None:
    lists = [operation for operation in OPERATIONS.values() if operation.expanded and operation.path.count("/") > 1]
    for operation in lists:
        items = [path for method, path in OPERATIONS if method == "GET" and path.startswith(f"{operation.path}/{{")]
        (item,) = [path for path in items if path.count("/") == operation.path.count("/") + 1]
        assert OPERATIONS["GET", item].returns == operation.expanded
    assert len(lists) == 21


def test_counts_of_the_published_schema() -> None:
    """71 paths and 121 operations, beside what is needed of other sections."""
    own = [(method, path) for method, path in OPERATIONS if path.startswith("/ipLoadbalancing")]
    assert (len({path for dummy, path in own}), len(own)) == (71, 121)
