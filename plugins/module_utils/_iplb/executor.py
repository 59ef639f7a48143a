# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out planned operations, and survives lost answers without duplicates. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace
from itertools import groupby

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, LostAnswer
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Operation, Ref
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import plain
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import from_api, same, to_api

CREATION_ATTEMPTS = 3
# A gateway that gave up does not stop the request behind it: its object may still come.
LOOK_AGAIN_SECONDS = (1.0, 2.0, 4.0)


class Executor:
    """Writes to one service. ``done`` are the reports of what was carried out, ids of new objects included.

    :param wait_for_refresh: waits for a running refresh, and says whether there was one.
    """

    def __init__(self, api: Api, reader: Reader, wait_for_refresh: t.Callable[[], bool] = lambda: False) -> None:
        self._api = api
        self._reader = reader
        self._wait_for_refresh = wait_for_refresh
        self._ids: dict[tuple[str, str, str], int] = {}  # of new objects, by kind, protocol and key
        self.done: list[Values] = []

    def run(self, operations: t.Sequence[Operation]) -> None:
        """Stage by stage; the operations of one at once, as many as may be.

        :raises ApiError: after the first failure, once what was under way has ended; ``done`` tells how far it came.
        """
        for _stage, group in groupby(operations, key=lambda operation: operation.stage):
            stage = list(group)
            outcomes = self._api.each(self._carry_out_in_turn, stage)
            self.done += [
                operation.report(outcome) for operation, outcome in zip(stage, outcomes) if isinstance(outcome, int)
            ]
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome

    def id_of(self, ref: Ref) -> int:
        return ref.id or self._ids[ref.kind, ref.protocol, ref.key]

    def _carry_out_in_turn(self, operation: Operation) -> int:
        """The API may answer 409 to a write while a refresh runs: then wait, and try once more."""
        try:
            return self._carry_out(operation)
        except ApiError as error:
            if error.status != 409 or not self._wait_for_refresh():
                raise
        return self._carry_out(operation)

    def _carry_out(self, operation: Operation) -> int:
        parent_id = self.id_of(operation.parent) if operation.parent else None
        path = self._reader.path(operation.resource, operation.protocol, parent_id)
        if operation.action == "create":
            return self._create(operation, path)
        identifier = t.cast(int, operation.id)
        if operation.action == "update":
            self._api.put(f"{path}/{identifier}", self._body(operation))
        else:
            self._api.delete(f"{path}/{identifier}")
        return identifier

    def _create(self, operation: Operation, path: str) -> int:
        body = self._body(operation)
        identifier = self._post_once(operation, path, body)
        self._ids[operation.resource.kind, operation.protocol, operation.key] = identifier
        return identifier

    def _post_once(self, operation: Operation, path: str, body: Values) -> int:
        for attempt in range(CREATION_ATTEMPTS):
            try:
                return self._api.post(path, body, operation.resource.id_api)[operation.resource.id_api]
            except LostAnswer as lost:
                existing = self._await_created(operation, path, body)
                if existing is not None:
                    return existing
                if attempt == CREATION_ATTEMPTS - 1:
                    raise lost
        raise AssertionError("unreachable")

    def _await_created(self, operation: Operation, path: str, body: Values) -> int | None:
        existing = self._find_created(operation, path, body)
        for pause in LOOK_AGAIN_SECONDS:
            if existing is not None:
                break
            time.sleep(pause)
            existing = self._find_created(operation, path, body)
        return existing

    def _find_created(self, operation: Operation, path: str, body: Values) -> int | None:
        """The object that a request without answer created after all: new, and just as it was sent."""
        for identifier in self._api.get_list(path):
            if identifier in operation.known_ids or self._is_ours(operation, identifier):
                continue
            try:
                answer = self._api.get_object(f"{path}/{identifier}")
            except ApiError as error:
                if error.status == 404:
                    continue
                raise
            if _is_as_sent(operation, body, answer):
                return identifier
        return None

    def _is_ours(self, operation: Operation, identifier: int) -> bool:
        """Whether this run created that object by another operation, of an earlier stage or at the same time."""
        mine = (operation.resource.kind, operation.protocol)
        return any(key[:2] == mine and known == identifier for key, known in list(self._ids.items()))

    def _body(self, operation: Operation) -> Values:
        values = {
            name: plain(operation.resource.field(name), self._with_ids(value))
            for name, value in operation.values.items()
        }
        return to_api(operation.resource, values)

    def _with_ids(self, value: t.Any) -> t.Any:
        """The value with every Ref carrying the id of its object, which exists by now."""
        if isinstance(value, Ref):
            return replace(value, id=self.id_of(value))
        if isinstance(value, dict):
            return {name: self._with_ids(item) for name, item in value.items()}
        return value


def _is_as_sent(operation: Operation, body: Values, answer: Values) -> bool:
    sent = from_api(operation.resource, operation.protocol, body)
    found = from_api(operation.resource, operation.protocol, answer)
    return all(
        same(field, sent[field.name], found[field.name])
        for field in operation.resource.fields_for(operation.protocol)
        if field.api in body and not field.write_only
    )
