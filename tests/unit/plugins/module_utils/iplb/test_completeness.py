# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's table against the description of the API: what is missing on either side fails."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.probe import PROBE_FIELDS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    ACTION_FIELDS,
    BY_KIND,
    QUOTA_FIELDS,
    RESOURCES,
    SERVICE_FIELDS,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Field, Resource

from simulator.description import MODELS, OPERATIONS, WRITE, ApiField

# Which model stands for a kind of object, by protocol.
MODELS_OF = {
    ("vrack_network", ""): "VrackNetwork",
    ("certificate", ""): "Ssl",
    ("farm", "tcp"): "BackendTcp",
    ("farm", "http"): "BackendHttp",
    ("farm", "udp"): "BackendUdp",
    ("server", "tcp"): "BackendTCPServer",
    ("server", "http"): "BackendHTTPServer",
    ("server", "udp"): "BackendUDPServer",
    ("frontend", "tcp"): "FrontendTcp",
    ("frontend", "http"): "FrontendHttp",
    ("frontend", "udp"): "FrontendUdp",
    ("route", "tcp"): "RouteTcp",
    ("route", "http"): "RouteHttp",
    ("rule", "tcp"): "RouteRule",
    ("rule", "http"): "RouteRule",
}
PARTS = {
    "BackendProbe": PROBE_FIELDS,
    "RouteTcpAction": ACTION_FIELDS[:2],
    "RouteHttpAction": ACTION_FIELDS,
    "IpWithIAM": SERVICE_FIELDS,
    "Quota": QUOTA_FIELDS,
}

# Fields that can be written and are no options, and why.
NOT_OPTIONS = {
    ("VrackNetwork", "farmId"): "farms are attached from their own side, where it can not fight with vrack_network_id",
}
# Choices that the service itself tells, so that none of ours is in the way of a new one.
NO_CHOICES = {("RouteRule", "match"): "availableRouteRules"}
# The kinds of value, as Ansible calls them.
TYPES = {"string": "str", "text": "str", "ipv4": "str", "ipBlock": "str", "long": "int", "boolean": "bool"}

MODEL_CASES = [(kind, protocol, MODELS[model]) for (kind, protocol), model in MODELS_OF.items()]


def writable(model: str) -> dict[str, ApiField]:
    return {
        name: known for name, known in MODELS[model].items() if known.creatable and (model, name) not in NOT_OPTIONS
    }


def test_every_resource_stands_for_a_model() -> None:
    assert {(resource.kind, protocol) for resource in RESOURCES for protocol in resource.protocols} == set(MODELS_OF)


@pytest.mark.parametrize(("kind", "protocol"), sorted(MODELS_OF))
def test_a_resource_has_the_fields_of_its_model(kind: str, protocol: str) -> None:
    model, resource = MODELS_OF[kind, protocol], BY_KIND[kind]
    fields = {field.api: field for field in resource.fields_for(protocol)}
    assert set(fields) == set(writable(model))
    for name, known in writable(model).items():
        check_field(model, fields[name], known, protocol)
        assert (protocol in fields[name].required) is known.required, name


@pytest.mark.parametrize("model", sorted(PARTS))
def test_a_part_has_the_fields_of_its_model(model: str) -> None:
    fields = {field.api: field for field in PARTS[model]}
    assert set(fields) == {name for name, known in MODELS[model].items() if known.access == WRITE}
    for name, field in fields.items():
        check_field(model, field, MODELS[model][name], "http")


def check_field(model: str, field: Field, known: ApiField, protocol: str) -> None:
    nested = known.type in MODELS
    expected = "dict" if nested else "list" if known.type.endswith("[]") else TYPES.get(known.type, "str")
    assert field.type == expected, field.name
    if not nested and (model, known.name) not in NO_CHOICES:
        assert set(field.choices_for(protocol)) == set(known.choices), field.name
    assert field.create_only is (known.access in ("create", "secret")), field.name
    assert field.write_only is (known.access == "secret"), field.name


@pytest.mark.parametrize(("kind", "protocol"), sorted(MODELS_OF))
def test_a_fact_is_what_the_model_answers_and_nobody_writes(kind: str, protocol: str) -> None:
    model = MODELS[MODELS_OF[kind, protocol]]
    told = {fact.api for fact in BY_KIND[kind].facts}
    assert {name for name in told if name in model} <= {name for name, known in model.items() if known.access == "read"}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_a_resource_has_the_paths_of_the_api(resource: Resource) -> None:
    for protocol in resource.protocols:
        parent = f"{{{BY_KIND[resource.parent].id_api}}}" if resource.parent else ""
        path = "/ipLoadbalancing/{serviceName}/" + resource.path.format(protocol=protocol, parent=parent)
        assert {method for method, known in OPERATIONS if known == path} == {"GET", "POST"}
        single = f"{path}/{{{resource.id_api}}}"
        assert {method for method, known in OPERATIONS if known == single} == {"GET", "PUT", "DELETE"}
