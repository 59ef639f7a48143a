# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of objects: whole in one call where the API answers so, else by their ids and one call each. Private to the
collection.

OVHcloud's schema gives every list an expanded answer (``X-Pagination-Mode``), and its web client asks for fresh ones
with ``Pragma: no-cache``. That such an answer is fresh is not confirmed, so it is trusted only as far as it is checked:
anything unexpected turns it off for the run, and ``verification`` compares it with single reads.
"""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource, Values

BULK_HEADERS = {
    "X-Pagination-Mode": "CachedObjectList-Pages",
    "X-Pagination-Size": "50000",  # as OVHcloud's web client asks; the API's own limit is 1,000
    "Pragma": "no-cache",
}
REFUSALS = frozenset({400, 404, 405, 501})  # of a list that its plain form does not refuse


class Lists:
    """Reads lists for one run.

    ``bulk`` is whether whole answers are asked for, until one can not be trusted, and ``used`` whether one was taken.
    """

    def __init__(self, api: Api, bulk: bool) -> None:
        self._api = api
        self.bulk = bulk
        self.used = False

    def distrust(self) -> None:
        """Read everything singly from now on."""
        self.bulk = self.used = False

    def read(self, resource: Resource, paths: t.Sequence[str], query: Values | None = None) -> list[list[Values]]:
        """The objects of each list, by ascending id."""
        if self.bulk:
            # The first one alone: where it is refused, the others need not be asked.
            answers = [self._whole(resource, path, query) for path in paths[:1]]
            if self.bulk:
                answers += self._api.map(lambda path: self._whole(resource, path, query), paths[1:])
            if self.bulk:
                self.used = self.used or bool(paths)
                return [answer or [] for answer in answers]
        return self._one_by_one(resource, paths, query)

    def ids(self, asked: t.Sequence[tuple[str, Values]]) -> list[list[int]]:
        """The plain lists at these paths and with these filters: what is there and what is not."""
        return [sorted(answer) for answer in self._api.map(lambda one: self._api.get_list(one[0], **one[1]), asked)]

    def _whole(self, resource: Resource, path: str, query: Values | None) -> list[Values] | None:
        """The objects of a list, or None, with bulk reads turned off, when the answer is not what it has to be."""
        if not self.bulk:
            return None
        try:
            answer, total = self._api.get_page(path, BULK_HEADERS, query)
        except ApiError as error:
            if error.status not in REFUSALS:
                raise
            answer, total = None, None
        if not _is_whole(resource, answer, total):
            self.bulk = False
            return None
        return sorted(answer, key=lambda item: item[resource.id_api])

    def _one_by_one(self, resource: Resource, paths: t.Sequence[str], query: Values | None) -> list[list[Values]]:
        lists = self._api.map(partial(self._api.get_list, **(query or {})), paths)
        items = [
            (place, f"{path}/{item}") for place, (path, ids) in enumerate(zip(paths, lists)) for item in sorted(ids)
        ]
        answers = self.objects([path for _place, path in items])
        result: list[list[Values]] = [[] for _path in paths]
        for (place, path), answer in zip(items, answers):
            if answer is not None:
                # A list knows the ids of its objects, whatever an answer says of its own.
                result[place].append({**answer, resource.id_api: int(path.rpartition("/")[2])})
        return result

    def objects(self, paths: t.Sequence[str]) -> list[Values | None]:
        """Objects read singly, with None for one that somebody deleted after it was listed."""
        try:
            return list(self._api.get_many(paths))
        except ApiError as error:
            if error.status != 404:
                raise
        return [self._object(path) for path in paths]

    def _object(self, path: str) -> Values | None:
        try:
            return self._api.get_object(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def _is_whole(resource: Resource, answer: t.Any, total: int | None) -> bool:
    """Whether an answer is a list of whole objects of this kind, each once, and as many as the API says."""
    if not isinstance(answer, list) or (total is not None and total != len(answer)):
        return False
    if not all(isinstance(item, dict) and _has_shape(resource, item) for item in answer):
        return False
    return len({item[resource.id_api] for item in answer}) == len(answer)


def _has_shape(resource: Resource, item: Values) -> bool:
    identifier = item.get(resource.id_api)
    if not isinstance(identifier, int) or isinstance(identifier, bool):
        return False
    if not all(fact.api in item for fact in resource.facts):
        return False
    return any(
        all(field.api in item for field in resource.fields_for(protocol) if not field.write_only)
        for protocol in resource.protocols
    )
