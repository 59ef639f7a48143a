# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a configuration can be deployed. Pure."""

from __future__ import annotations

from .configuration import Configuration, Record


def undeployable(configuration: Configuration, in_vrack: bool) -> str | None:
    """Why it can not be deployed (guide "route an Additional IP"), or None. Disabled frontends count as well."""
    frontends = list(configuration.kind("frontend"))
    if not frontends:
        return "At least one frontend is needed"
    for frontend in frontends:
        if not leads_somewhere(frontend, configuration):
            return f"Frontend {frontend.id} has no default farm, no redirect location and no route with rules"
    for farm in configuration.kind("farm"):
        if bool(farm.values["vrackNetworkId"]) != in_vrack:
            return f"Farm {farm.id} {'has no' if in_vrack else 'has a'} vRack network"
    return None


def leads_somewhere(frontend: Record, configuration: Configuration) -> bool:
    if frontend.values["defaultFarmId"] or frontend.values.get("redirectLocation"):
        return True
    rules = f"{frontend.resource.protocol}/rule"
    return any(configuration.select(rules, route.id) for route in configuration.routes_of(frontend))
