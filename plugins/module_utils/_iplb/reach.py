# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zones of the service that a plan reaches. Pure. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import End
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import ALL_ZONES, Resource, Values

Zones = tuple[str, ...]


class Reach:
    """``zones`` are all that the task is about so far."""

    def __init__(self, known: t.Sequence[str]) -> None:
        self._known = known
        self.zones: set[str] = set()

    def of_object(
        self, resource: Resource, values: Values, parent: End | None, led_to: Zones | None, where: str | None
    ) -> Zones:
        """Where an object is deployed; with ``where``, for messages, its zones become those of the task.

        :param led_to: the zones of what it is deployed with, if a field of it says with what.
        :raises InvalidInput: when the task wants it in a zone that the service does not have.
        """
        zone = ALL_ZONES
        if resource.zones == "zone":
            zone = values["zone"]
        elif resource.zones == "parent" and parent:
            return parent.zones
        elif led_to is not None:
            self.zones.update(led_to if where else ())
            return led_to
        if not where:
            return self._deployed_in(zone)
        if zone != ALL_ZONES and zone not in self._known:
            raise InvalidInput(
                f'{where}: zone "{zone}" is not a zone of this service; use {", ".join(self._known)} or all'
            )
        return self.at(zone)

    def at(self, zone: str) -> Zones:
        """The task is about this zone: none, where the service has left it."""
        zones = self._deployed_in(zone)
        self.zones.update(zones)
        return zones

    def _deployed_in(self, zone: str) -> Zones:
        return tuple(item for item in sorted(self._known) if zone in (ALL_ZONES, item))
