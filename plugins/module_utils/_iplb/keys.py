# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How plans and reports name an object. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource

Answer = t.Mapping[str, t.Any]


def key_of(
    resource: Resource, protocol: str, values: Answer, parent_key: str = "", parent: Answer | None = None
) -> str:
    """An object by what identifies it; what has a parent after the parent's key."""
    if resource.identity == "address":
        return server_key(parent_key, values, (parent or {}).get("port"))
    if resource.identity == "content":
        return rule_key(parent_key, values)
    return object_key(protocol, values)


def object_key(protocol: str, values: Answer) -> str:
    """Protocol and zone, as far as an object has them, and its name."""
    parts = (protocol, values.get("zone"), values.get("display_name") or "(unnamed)")
    return "/".join(part for part in parts if part)


def server_key(farm_key: str, server: Answer, farm_port: int | None) -> str:
    """A server with the port that it has or inherits."""
    port = server.get("port") or farm_port
    return f"{farm_key}/{server['address']}" + (f":{port}" if port else "")


def rule_key(route_key: str, rule: Answer) -> str:
    words = [rule.get(name) for name in ("field", "sub_field", "match", "pattern")]
    condition = " ".join(str(word) for word in words if word)
    return f"{route_key}/{rule.get('display_name') or ('not ' if rule.get('negate') else '') + condition}"
