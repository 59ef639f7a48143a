# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator against the description of the API: every operation, model, field, filter and enumeration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simulator import schema
from simulator.app import operations
from simulator.description import CREATE, ENUMS, MODELS, OPERATIONS, READ, WRITE, ApiField, ApiOperation
from simulator.launcher import Running
from simulator.schema import Field, Resource
from tools.waiting import eventually

from .conftest import Service
from .test_bulk_lists import bulk

SERVICE = "/ipLoadbalancing/{serviceName}"
ORDERING = "ordering and ending a service is left out"
LOGS = "logs go to another product, Logs Data Platform"
DEPRECATED = "deprecated, and replaced by what is served"
NOT_SERVED = {
    ("GET", "/ipLoadbalancing/availableZones"): DEPRECATED,
    ("GET", f"{SERVICE}/instancesState"): DEPRECATED,
    ("GET", f"{SERVICE}/metricsToken"): "metrics are read from another product",
    ("PUT", f"{SERVICE}/serviceInfos"): ORDERING,
    ("POST", f"{SERVICE}/changeContact"): ORDERING,
    ("POST", f"{SERVICE}/confirmTermination"): ORDERING,
    ("POST", f"{SERVICE}/terminate"): ORDERING,
    ("POST", f"{SERVICE}/zone/{{name}}/cancelTermination"): ORDERING,
    ("POST", f"{SERVICE}/zone/{{name}}/terminate"): ORDERING,
    ("GET", f"{SERVICE}/log/kind"): LOGS,
    ("GET", f"{SERVICE}/log/kind/{{name}}"): LOGS,
    ("GET", f"{SERVICE}/log/subscription"): LOGS,
    ("POST", f"{SERVICE}/log/subscription"): LOGS,
    ("GET", f"{SERVICE}/log/subscription/{{subscriptionId}}"): LOGS,
    ("DELETE", f"{SERVICE}/log/subscription/{{subscriptionId}}"): LOGS,
    ("POST", f"{SERVICE}/log/url"): LOGS,
}
NOT_DESCRIBED = {
    ("GET", "/vrack"): "of the vRack's own section",
    ("GET", "/vrack/{vrack}"): "of the vRack's own section",
}
NOT_FILTERED = {("GET", "/ipLoadbalancing"): "tags of services belong to IAM"}
MODEL_OF = {
    "tcp/farm": "BackendTcp",
    "http/farm": "BackendHttp",
    "udp/farm": "BackendUdp",
    "tcp/server": "BackendTCPServer",
    "http/server": "BackendHTTPServer",
    "udp/server": "BackendUDPServer",
    "tcp/frontend": "FrontendTcp",
    "http/frontend": "FrontendHttp",
    "udp/frontend": "FrontendUdp",
    "tcp/route": "RouteTcp",
    "http/route": "RouteHttp",
    "tcp/rule": "RouteRule",
    "http/rule": "RouteRule",
    "vrack/network": "VrackNetwork",
}
# Names of checks in the simulator's table, where they are not the API's own types.
TYPES = {
    "certificate": "long",
    "farm": "long",
    "frontend": "long",
    "ports": "string",
    "probe": "BackendProbe",
    "vrackNetwork": "long",
    "zone": "string",
}


def test_every_operation_is_served_or_left_out_for_a_reason() -> None:
    served = {(operation.method, operation.path) for operation in operations()} | {("GET", "/auth/time")}
    assert served - set(NOT_DESCRIBED) == set(OPERATIONS) - set(NOT_SERVED)
    assert set(NOT_SERVED) <= set(OPERATIONS)


@pytest.mark.parametrize("resource", [*schema.RESOURCES, schema.VRACK_NETWORK], ids=lambda resource: resource.name)
def test_fields_of_the_table(resource: Resource) -> None:
    model = MODELS[MODEL_OF[resource.name]]
    compare(resource.by_name, model)
    path = f"{SERVICE}/{resource.collection}"
    assert resource.filters == OPERATIONS["GET", path].query
    creatable = {name for name, entry in resource.by_name.items() if entry.access != schema.READ}
    assert creatable == set(OPERATIONS["POST", path].body)


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        (schema.PROBE_FIELDS, "BackendProbe"),
        (schema.SERVICE_FIELDS, "IpWithIAM"),
        (schema.QUOTA_FIELDS, "Quota"),
    ],
)
def test_fields_of_other_tables(fields: tuple[Field, ...], model: str) -> None:
    compare({entry.name: entry for entry in fields}, MODELS[model])


def test_fields_of_certificates() -> None:
    answered = {name: entry for name, entry in MODELS["Ssl"].items() if entry.answered}
    compare(schema.CERTIFICATE.by_name, answered)
    assert schema.CERTIFICATE.filters == OPERATIONS["GET", f"{SERVICE}/ssl"].query
    taken = {entry.name: entry for entry in schema.CERTIFICATE_MATERIAL}
    assert set(taken) == set(OPERATIONS["POST", f"{SERVICE}/ssl"].body)
    for name, entry in taken.items():
        assert (entry.required, entry.nullable) == (MODELS["Ssl"][name].required, MODELS["Ssl"][name].nullable)


def compare(table: dict[str, Field], model: dict[str, ApiField]) -> None:
    assert set(table) == set(model)
    for name, entry in table.items():
        described = model[name]
        assert {schema.WRITE: WRITE, schema.CREATE: CREATE, schema.READ: READ}[entry.access] == described.access, name
        if entry.access == schema.READ:
            continue
        assert (entry.nullable, entry.required) == (described.nullable, described.required), name
        # What a service's catalogue of rules says is narrower than the enumeration.
        assert set(entry.choices) == set(described.choices), name
        if described.type not in ENUMS and not described.type.startswith(("Route", "Defined", "text")):
            assert TYPES.get(entry.type, entry.type) == described.type, name


# Answers


@pytest.fixture(scope="module")
def filled(api: Running) -> Service:
    """One object of each kind, live, in a vRack; it is read here and not changed."""
    api.reset(vrack="active", finished_vrack_task="stays")
    service = Service(api)
    for protocol in ("tcp", "http", "udp"):
        is_udp = protocol == "udp"
        farm = service.farm(protocol, vrackNetworkId=301, **({} if is_udp else {"probe": {"type": "http"}}))
        server = {} if is_udp else {"probe": True, **({"cookie": "one"} if protocol == "http" else {})}
        service.server(farm, protocol, address="10.0.0.11", **server)
        frontend = service.frontend(protocol, defaultFarmId=farm, **({} if is_udp else {"defaultSslId": 401}))
        if is_udp:
            continue
        route = service.post(f"{protocol}/route", action={"type": "reject"}, frontendId=frontend)["routeId"]
        service.post(f"{protocol}/route/{route}/rule", field="source", match="is", pattern="192.0.2.1")
    service.refresh()
    service.put(f"udp/farm/{farm}", port=53)  # waits for the next one
    return service


def example(service: Service, operation: ApiOperation) -> str:
    """The path with names and ids of what exists."""
    known = {"serviceName": service.simulator.service, "zone": "gra", "name": "gra", "vrack": "pn-1"}
    path = ""
    for part in operation.path.strip("/").split("/"):
        if not part.startswith("{"):
            path += f"/{part}"
            continue
        name = part.strip("{}")
        path += f"/{known.get(name) or service.client.get(path)[0]}"
    return path


GETS = [
    operation
    for key, operation in OPERATIONS.items()
    if operation.method == "GET" and key not in NOT_SERVED and not operation.path.startswith(("/auth", "/vrack"))
]


@pytest.mark.parametrize("operation", GETS, ids=lambda operation: operation.path)
def test_answers_are_of_the_model(filled: Service, operation: ApiOperation) -> None:
    path = example(filled, operation)
    answer = filled.client.get(path)
    assert list(mistakes(answer, operation.returns or "", path)) == []
    assert answer, "an example is needed"
    if operation.expanded and operation.path != "/ipLoadbalancing":
        objects = bulk(filled, path.removeprefix(f"{filled.path}/"))
        assert len(objects) == len(answer)
        assert list(mistakes(objects, f"{operation.expanded}[]", path)) == []


@pytest.mark.parametrize(
    "operation",
    [get for get in GETS if get.query and ("GET", get.path) not in NOT_FILTERED],
    ids=lambda operation: operation.path,
)
def test_lists_can_be_filtered_as_described(filled: Service, operation: ApiOperation) -> None:
    path = example(filled, operation)
    objects = bulk(filled, path.removeprefix(f"{filled.path}/")) if operation.expanded else []
    for name, operator in operation.query.items():
        field = name.partition(".")[0]
        values = [one[field] for one in objects if one[field] is not None] or ["301"]
        moment = "2000-01-01" if operator == ">=" else "2099-01-01"
        wanted = moment if operator in ("<", ">=", "<=") else values[0]
        assert filled.client.get(path, **{name: wanted}), (name, wanted)


def test_answers_of_the_vrack_and_of_auth(service: Service) -> None:
    service.simulator.reset(vrack="active", finished_vrack_task="stays", detach_with_networks="accept")
    name = service.simulator.service
    for path, model in {
        f"/vrack/pn-1/ipLoadbalancing/{name}": "VrackIpLoadbalancing",
        "/auth/details": "AuthDetails",
    }.items():
        assert list(mistakes(service.client.get(path), model, path)) == []
    task = service.client.delete(f"/vrack/pn-1/ipLoadbalancing/{name}")
    assert list(mistakes(task, "VrackTask", "task")) == []
    shown = eventually(lambda: service.client.get(f"/vrack/pn-1/task/{task['id']}"))
    assert list(mistakes(shown, "VrackTask", "task")) == []


SIMPLE = {"boolean": bool, "long": int}


def mistakes(value: Any, type_name: str, where: str) -> Iterator[str]:
    """What is not as described."""
    if type_name.endswith("[]"):
        if not isinstance(value, list):
            yield f"{where} is not a list"
            return
        for item in value:
            yield from mistakes(item, type_name.removesuffix("[]"), where)
        return
    if type_name in MODELS:
        yield from model_mistakes(value, type_name, where)
    elif type_name in ENUMS:
        if value not in ENUMS[type_name]:
            yield f"{where} is {value!r}, none of {type_name}"
    elif type_name.startswith("map"):
        if not isinstance(value, dict):
            yield f"{where} is not a map"
    elif isinstance(value, bool) is not (type_name == "boolean") or not isinstance(value, SIMPLE.get(type_name, str)):
        yield f"{where} is {value!r}, not a {type_name}"


def model_mistakes(value: Any, model: str, where: str) -> Iterator[str]:
    described = {name: entry for name, entry in MODELS[model].items() if entry.answered}
    if model == "RouteRule" and where.endswith(".rules"):
        del described["displayName"]  # the copy inside a route has none
    if not isinstance(value, dict):
        yield f"{where} is not an object"
        return
    if set(value) != set(described):
        yield f"{where} has other fields: {sorted(set(value) ^ set(described))}"
        return
    for name, entry in described.items():
        if value[name] is None:
            if not entry.nullable:
                yield f"{where}.{name} is null"
            continue
        yield from mistakes(value[name], entry.type, f"{where}.{name}")
