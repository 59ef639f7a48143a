# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs that the API modules share. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    FARM,
    FRONTEND,
    PROTOCOLS,
    SERVER,
    Field,
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
    }


def refresh_options() -> Spec:
    """How changes go live; the documentation fragment ``refresh`` describes them."""
    return {
        "refresh": {"type": "bool", "default": True},
        "foreign_changes": {"type": "str", "default": "apply", "choices": ["apply", "refuse"]},
        **wait_options(),
        "wait_for_healthy": {"type": "bool", "default": False},
        "require_healthy_peers": {"type": "bool", "default": False},
    }


def wait_options() -> Spec:
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": 600.0},
    }


def farm_options() -> Spec:
    return {**_protocol_and_state(), "farm_id": {"type": "int"}, **_field_options(FARM.fields)}


def farm_reference_options() -> Spec:
    """Which farm a server belongs to."""
    return {
        "farm": {"type": "str"},
        "farm_id": {"type": "int"},
        "protocol": {"type": "str", "default": "tcp", "choices": list(PROTOCOLS)},
        "zone": {"type": "str"},
    }


def server_options() -> Spec:
    return {"state": _state(), "server_id": {"type": "int"}, **_field_options(SERVER.fields)}


def frontend_options() -> Spec:
    return {
        **_protocol_and_state(),
        "frontend_id": {"type": "int"},
        "default_farm": {"type": "str"},
        **_field_options(FRONTEND.fields),
    }


def _protocol_and_state() -> Spec:
    return {"protocol": {"type": "str", "default": "tcp", "choices": list(PROTOCOLS)}, "state": _state()}


def _state() -> dict[str, t.Any]:
    return {"type": "str", "default": "present", "choices": ["present", "absent"]}


def _field_options(fields: t.Sequence[Field]) -> Spec:
    """No option is required and none has a default: absent leaves a field alone, null resets it."""
    return {field.name: _field_option(field) for field in fields}


def _field_option(field: Field) -> dict[str, t.Any]:
    option: dict[str, t.Any] = {"type": field.type}
    if field.choices:
        option["choices"] = list(field.choices)
    if field.type == "list":
        option["elements"] = "str"
    if field.fields:
        option["options"] = _field_options(field.fields)
    return option
