# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs that the API modules share. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.credentials import BULK_READS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import SERVICE_FIELDS, child_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import (
    NO_PROTOCOL,
    PROTOCOLS,
    Field,
    Resource,
)

Spec = dict[str, dict[str, t.Any]]


def connection_options() -> Spec:
    """How to reach and sign in to the API; the documentation fragment ``connection`` describes them."""
    return {
        "service_name": {"type": "str", "fallback": (env_fallback, ["OVH_IPLB_SERVICE"])},
        "endpoint": {"type": "str"},
        "application_key": {"type": "str", "no_log": True},
        "application_secret": {"type": "str", "no_log": True},
        "consumer_key": {"type": "str", "no_log": True},
        "client_id": {"type": "str"},
        "client_secret": {"type": "str", "no_log": True},
        "access_token": {"type": "str", "no_log": True},
        "timeout": {"type": "float", "default": 60.0},
        "retries": {"type": "int", "default": 5},
        "concurrency": {"type": "int", "fallback": (env_fallback, ["OVH_IPLB_CONCURRENCY"])},
        "calls_per_minute": {"type": "float", "fallback": (env_fallback, ["OVH_IPLB_CALLS_PER_MINUTE"])},
        "bulk_reads": {
            "type": "str",
            "choices": list(BULK_READS),
            "fallback": (env_fallback, ["OVH_IPLB_BULK_READS"]),
        },
    }


def refresh_options() -> Spec:
    """How changes go live; the documentation fragment ``refresh`` describes them."""
    return {
        "refresh": {"type": "bool", "default": True},
        "foreign_changes": {"type": "str", "default": "apply", "choices": ["apply", "refuse"]},
        **wait_options(),
        "wait_for_healthy": {"type": "bool", "default": False},
        "require_healthy_peers": {"type": "bool", "default": False},
        "allow_cleartext_behind_tls": {"type": "bool", "default": False},
    }


def wait_options() -> Spec:
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": 600.0},
    }


def object_options(resource: Resource) -> Spec:
    """All that can be said of one object of a kind; of its children, with the option that lists them."""
    spec: Spec = {"state": _state(), resource.id_option: {"type": "int"}, **_field_options(resource.fields)}
    if not resource.parent and resource.protocols != (NO_PROTOCOL,):
        spec["protocol"] = {"type": "str", "default": "tcp", "choices": list(resource.protocols)}
    if resource.owned:
        del spec["state"]
    if resource.identity == "fingerprint":
        spec["force"] = {"type": "bool", "default": False}
        spec["key_file"] = {"type": "path", "no_log": False}
    if resource.replaceable:
        spec["replace"] = {"type": "bool", "default": False}
    for reference in resource.references:
        holder = spec[reference.within]["options"] if reference.within else spec
        holder[reference.option] = {"type": "str"}
    return spec


def with_children(resource: Resource) -> Spec:
    """The same with the list of its children."""
    child = child_of(resource)
    if child is None:
        return object_options(resource)
    return {**object_options(resource), child.plural: list_of(child)}


def own_options(resource: Resource) -> Spec:
    """What the module of a kind can say: the object with what belongs to it whole, and not with what is by itself."""
    child = child_of(resource)
    return with_children(resource) if child and child.owned else object_options(resource)


def list_of(resource: Resource) -> dict[str, t.Any]:
    return {"type": "list", "elements": "dict", "options": with_children(resource)}


def settings_options() -> Spec:
    """All that can be said of the service itself."""
    return {**_field_options(SERVICE_FIELDS), "quota_alerts": {"type": "dict"}, "vrack": {"type": "str"}}


def farm_reference_options() -> Spec:
    """Which farm a server belongs to."""
    return {
        "farm": {"type": "str"},
        "farm_id": {"type": "int"},
        "protocol": {"type": "str", "default": "tcp", "choices": list(PROTOCOLS)},
        "zone": {"type": "str"},
    }


def _state() -> dict[str, t.Any]:
    return {"type": "str", "default": "present", "choices": ["present", "absent"]}


def _field_options(fields: t.Sequence[Field]) -> Spec:
    """No option is required and none has a default: absent leaves a field alone, null resets it."""
    return {field.name: _field_option(field) for field in fields}


def _field_option(field: Field) -> dict[str, t.Any]:
    option: dict[str, t.Any] = {"type": field.type}
    if field.secret:
        option["no_log"] = True
    if field.choices:
        option["choices"] = sorted(field.every_choice) if field.choices_http else list(field.choices)
    if field.type == "list":
        option["elements"] = "str"
    if field.fields:
        option["options"] = _field_options(field.fields)
    return option
