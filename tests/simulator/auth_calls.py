# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``/auth``: what a client asks about its own credentials."""

from __future__ import annotations

from typing import Any

from .call import Call, Operation

ACCESS = [{"method": method, "path": "/*"} for method in ("GET", "POST", "PUT", "DELETE")]


def operations() -> list[Operation]:
    return [
        Operation("GET", "/auth/currentCredential", current_credential, None),
        Operation("GET", "/auth/details", details, None),
    ]


async def current_credential(call: Call) -> dict[str, Any]:
    return {
        "allowedIPs": None,
        "applicationId": 1,
        "creation": "2026-01-01T00:00:00+01:00",
        "credentialId": 1,
        "expiration": None,
        "lastUse": call.sim.date(),
        "ovhSupport": False,
        "rules": ACCESS,
        "status": "validated",
    }


async def details(call: Call) -> dict[str, Any]:
    """The first call of Terraform's provider."""
    return {
        "account": "xx00000-ovh",
        "allowedRoutes": ACCESS,
        "description": "simulator",
        "identities": ["urn:v1:eu:identity:account:xx00000-ovh"],
        "method": "account",
        "roles": [],
        "user": "",
    }
