# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of resources: complete against the API's model, strict with input, lenient with answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.options import object_options
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.probe import PROBE_FIELDS, merge_probe
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    BY_KIND,
    FARM,
    FRONTEND,
    RESOURCES,
    SERVER,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Field
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import from_api, normalise, same, to_api
from hypothesis import given, settings

from unit.plugins.module_utils.iplb.api_model import MODELS, PROBE, ApiField
from unit.plugins.module_utils.iplb.fake_api import FakeApi
from unit.plugins.module_utils.iplb.tasks import option_name, services

Values = dict[str, Any]

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"

# Fields of the API that are no options: ids, and what only OVHcloud sets.
READ_ONLY = {"farmId", "serverId", "frontendId", "backendId", "serverState", "vrackNetworkId", "vrackVrouterId"}
# The only value of choices that is left out: "internal" is OVHcloud's own.
TYPES = {"string": "str", "ipv4": "str", "long": "int", "boolean": "bool", "BackendProbe": "dict"}


def test_each_resource_refers_only_to_what_stands_before_it() -> None:
    """The order of the table is the order of creation, and reversed that of deletion."""
    for place, resource in enumerate(RESOURCES):
        before = {other.kind for other in RESOURCES[:place]}
        assert {reference.kind for reference in resource.references} <= before
        assert not resource.parent or resource.parent in before


@pytest.mark.parametrize(("kind", "protocol"), sorted(MODELS))
def test_every_writable_field_is_an_option(kind: str, protocol: str) -> None:
    resource = BY_KIND[kind]
    model = {name: known for name, known in MODELS[kind, protocol].items() if known.access != "ro"}
    assert {field.api for field in resource.fields_for(protocol)} == set(model)
    assert set(MODELS[kind, protocol]) - set(model) <= READ_ONLY
    for field in resource.fields_for(protocol):
        _check_field(field, model[field.api], protocol)
        assert (protocol in field.required) == model[field.api].required
        assert (protocol in field.required) or _null_is_safe(kind, field, model[field.api])


def test_every_probe_field_is_an_option() -> None:
    assert {field.api for field in PROBE_FIELDS} == set(PROBE)
    for field in PROBE_FIELDS:
        _check_field(field, PROBE[field.api], "tcp")


def _check_field(field: Field, known: ApiField, protocol: str) -> None:
    assert field.name == option_name(field.api)
    assert field.type == TYPES.get(known.type, "list")
    assert set(field.choices_for(protocol)) == set(known.values) - {"internal"}
    assert field.default == known.default
    if known.access == "create":
        assert field.create_only


def _null_is_safe(kind: str, field: Field, known: ApiField) -> bool:
    """Null in a task is never sent as null where the API does not take it."""
    return known.nullable or to_api(BY_KIND[kind], {field.name: None})[field.api] is not None


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_every_field_is_in_the_argument_spec_without_default_or_duty(kind: str) -> None:
    options = object_options(BY_KIND[kind])
    for field in BY_KIND[kind].fields:
        spec = options[field.name]
        assert spec["type"] == field.type
        assert set(spec.get("choices", [])) == {*field.choices, *field.choices_http}
        assert not {"default", "required"} & set(spec)
    assert {field.name for field in PROBE_FIELDS} == set(object_options(FARM)["probe"]["options"])


# Input


@pytest.mark.parametrize(
    ("resource", "protocol", "written", "expected"),
    [
        (FARM, "tcp", {"zone": " GRA "}, {"zone": "gra"}),
        (FRONTEND, "tcp", {"port": "465,25"}, {"port": "25,465"}),
        (FRONTEND, "tcp", {"port": " 25 , 25, 1000 - 2000"}, {"port": "25,1000-2000"}),
        (FRONTEND, "tcp", {"port": "9,10-11"}, {"port": "9,10-11"}),
        (
            FRONTEND,
            "tcp",
            {"allowed_source": ["203.0.113.7", "2001:db8::25", "198.51.100.0/24", "203.0.113.7/32"]},
            {"allowed_source": ["198.51.100.0/24", "2001:db8::25/128", "203.0.113.7/32"]},
        ),
        (SERVER, "tcp", {"weight": 0, "chain": f"{PEM}\n"}, {"weight": 0, "chain": PEM}),
        (SERVER, "tcp", {"weight": None, "probe": None}, {"weight": None, "probe": None}),
        (FARM, "http", {"balance": "uri", "stickiness": "cookie"}, {"balance": "uri", "stickiness": "cookie"}),
    ],
)
def test_input_gets_one_form_and_absent_stays_absent(
    resource: Any, protocol: str, written: Values, expected: Values
) -> None:
    assert normalise(resource, protocol, written, "it") == expected


@pytest.mark.parametrize(
    ("resource", "protocol", "written", "message"),
    [
        (FARM, "tcp", {"port": 0}, "it: port: 0 is not a port of the load balancer; use 1 to 49151"),
        (FARM, "tcp", {"port": 49152}, "port: 49152 is not a port of the load balancer; use 1 to 49151"),
        (SERVER, "tcp", {"port": -1}, "port: -1 is not a port"),
        (FRONTEND, "tcp", {"port": "smtp"}, 'it: port: "smtp" is not a port; use a port, a range a-b, or a comma'),
        (FRONTEND, "tcp", {"port": ""}, 'port: "" is not a port'),
        (FRONTEND, "tcp", {"port": "25,,26"}, 'port: "" is not a port'),
        (FRONTEND, "tcp", {"port": "1-2-3"}, 'port: "1-2-3" is not a port'),
        (FRONTEND, "tcp", {"port": "٢٥"}, "is not a port"),
        (FRONTEND, "tcp", {"port": "0-5"}, "port: 0 is not a port of the load balancer; use 1 to 49151"),
        (FRONTEND, "tcp", {"port": "25-65535"}, "port: 65535 is not a port of the load balancer"),
        (FRONTEND, "tcp", {"port": "30-25"}, 'range "30-25" must increase; write the lower port first'),
        (FRONTEND, "tcp", {"port": "25-25"}, 'range "25-25" must increase'),
        (SERVER, "tcp", {"weight": -1}, "weight: -1 is out of range; a weight is 0 .* to 256"),
        (SERVER, "tcp", {"weight": 257}, "weight: 257 is out of range"),
        (SERVER, "tcp", {"address": "2001:db8::1"}, 'address: "2001:db8::1" is not an IPv4 address; .*IPv4 .*only'),
        (SERVER, "tcp", {"address": "mx.example.com"}, 'address: "mx.example.com" is not an IPv4 address'),
        (SERVER, "tcp", {"address": "192.0.2.0/24"}, 'address: "192.0.2.0/24" is not an IPv4 address'),
        (SERVER, "tcp", {"status": "drain"}, 'status: "drain" is not one of active, inactive'),
        (SERVER, "tcp", {"status": None}, "status can not be null; give a value, or leave it out to keep"),
        (SERVER, "tcp", {"address": None}, "address can not be null"),
        (SERVER, "tcp", {"cookie": "a"}, "it: cookie does not exist for tcp; leave it out"),
        (SERVER, "udp", {"proxy_protocol_version": "v1"}, "proxy_protocol_version does not exist for udp"),
        (FARM, "tcp", {"zone": " "}, "zone is empty; name a zone of the service, such as gra, or all"),
        (FARM, "tcp", {"zone": None}, "zone can not be null"),
        (FARM, "tcp", {"balance": "uri"}, 'balance: "uri" is not one of first, leastconn, roundrobin, source$'),
        (FARM, "tcp", {"stickiness": "cookie"}, 'stickiness: "cookie" is not one of sourceIp$'),
        (FARM, "udp", {"port": None}, "port can not be null"),
        (FARM, "udp", {"probe": {"type": "tcp"}}, "probe does not exist for udp; leave it out"),
        (FARM, "tcp", {"vrack_network_id": 0}, "vrack_network_id: 0 is not an id; use a positive id, or null"),
        (FARM, "tcp", {"probe": {"interval": 29}}, r"probe\.interval: 29 seconds is too short; .*30"),
        (FARM, "tcp", {"probe": {"port": 50000}}, r"probe\.port: 50000 is not a port"),
        (FARM, "tcp", {"probe": {"type": "oko"}}, r'probe\.type: "oko" is not one of http, mysql, oco'),
        (FRONTEND, "tcp", {"default_farm_id": 0}, "default_farm_id: 0 is not an id"),
        (FRONTEND, "tcp", {"default_ssl_id": 0}, "default_ssl_id: 0 is not an id"),
        (FRONTEND, "tcp", {"allowed_source": ["x"]}, 'allowed_source: "x" is not a network in CIDR form'),
        (FRONTEND, "tcp", {"denied_source": ["203.0.113.7/24"]}, "denied_source: .*CIDR form .*host bits"),
        (FRONTEND, "tcp", {"dedicated_ipfo": [""]}, 'dedicated_ipfo: "" is not a network'),
        (FRONTEND, "tcp", {"hsts": True}, "hsts does not exist for tcp"),
        (FRONTEND, "udp", {"ssl": True}, "ssl does not exist for udp"),
        (
            FRONTEND,
            "tcp",
            {"allowed_source": ["203.0.113.0/24"], "denied_source": ["198.51.100.0/24"]},
            r"it: allowed_source and denied_source exclude each other; set the one you do not want to \[\]",
        ),
    ],
)
def test_bad_input_is_named_with_its_remedy(resource: Any, protocol: str, written: Values, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        normalise(resource, protocol, written, "it")


# Probes


@pytest.mark.parametrize(
    ("wanted", "current", "expected"),
    [
        (None, {"type": "smtp"}, None),
        ({}, None, {"type": "tcp"}),
        ({"port": 25}, None, {"type": "tcp", "port": 25}),
        ({"interval": 60}, {"type": "smtp", "port": 25}, {"type": "smtp", "port": 25, "interval": 60}),
        ({"port": None}, {"type": "smtp", "port": 25}, {"type": "smtp", "port": None}),
        ({"type": None}, {"type": "smtp", "interval": 60}, {"type": "tcp", "interval": 60}),
        (
            {"type": "smtp"},
            {"type": "http", "interval": 60, "port": 80, "url": "/x", "match": "status", "pattern": "200"},
            {"type": "smtp", "interval": 60, "port": 80},
        ),
        ({"type": "oco"}, {"type": "smtp", "interval": 60, "port": 25}, {"type": "oco", "interval": 60}),
        ({}, {"type": "smtp", "match": None, "negate": False}, {"type": "smtp", "match": None}),
        ({"match": "default", "negate": True}, None, {"type": "tcp", "match": "default", "negate": True}),
        ({"type": "smtp", "method": "GET", "url": "/", "pattern": ""}, None, {"type": "smtp"}),
    ],
)
def test_a_probe_is_merged_with_what_is_there(wanted: Values | None, current: Values | None, expected: Any) -> None:
    assert merge_probe(wanted, current, "probe") == expected


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"type": "smtp", "url": "/x"}, r"probe\.url does not exist for a probe of type smtp; leave it out"),
        ({"type": "smtp", "pattern": "220"}, r"probe\.pattern does not exist for a probe of type smtp"),
        ({"type": "tcp", "force_ssl": True}, r"probe\.force_ssl does not exist for a probe of type tcp"),
        ({"type": "oco", "port": 79}, r"probe\.port does not exist for a probe of type oco"),
        ({"type": "smtp", "match": "contains"}, r"probe\.match: a probe of type smtp takes default, not contains"),
        ({"type": "tcp", "match": "status"}, "takes default, contains, matches, not status"),
        ({"negate": True}, r"probe\.negate needs probe\.match"),
    ],
)
def test_a_probe_that_can_not_be_is_refused(wanted: Values, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        merge_probe(wanted, None, "probe")


@pytest.mark.parametrize("wanted", [{"interval": 60}, {}])
def test_a_probe_of_a_type_that_only_the_api_knows_needs_one_that_is_known(wanted: Values) -> None:
    with pytest.raises(InvalidInput, match=r"probe\.type is redis at the API, .*; give probe\.type, one of http"):
        merge_probe(wanted, {"type": "redis", "interval": 30}, "probe")
    assert merge_probe({"type": "smtp"}, {"type": "redis", "interval": 30}, "probe") == {"type": "smtp", "interval": 30}


# Answers


@pytest.mark.parametrize("nothing", [None, {}, {"type": None, "interval": 30}])
def test_a_farm_without_probe_is_read_as_one_however_that_is_said(nothing: Any) -> None:
    assert from_api(FARM, "tcp", {"zone": "gra", "probe": nothing})["probe"] is None


def test_flags_of_old_objects_may_be_null() -> None:
    server = from_api(SERVER, "tcp", {"address": "192.0.2.11", "backup": None, "probe": None, "ssl": None})
    assert (server["backup"], server["probe"], server["ssl"]) == (False, False, False)


def test_an_answer_that_input_rules_would_refuse_is_taken_as_it_is() -> None:
    assert from_api(FARM, "tcp", {"zone": "GRA", "port": 65535})["port"] == 65535
    assert from_api(FRONTEND, "tcp", {"zone": "gra", "port": "smtp"})["port"] == "smtp"


def test_a_cleared_list_is_sent_as_an_empty_one() -> None:
    assert to_api(FRONTEND, {"allowed_source": None, "default_farm_id": None}) == {
        "allowedSource": [],
        "defaultFarmId": None,
    }


@pytest.mark.parametrize(
    ("resource", "name", "wanted", "current", "expected"),
    [
        (FARM, "balance", None, "roundrobin", True),
        (FARM, "balance", "roundrobin", None, True),
        (FARM, "balance", None, "first", False),
        (SERVER, "weight", 1, None, True),
        (SERVER, "weight", 0, None, False),
        (SERVER, "backup", None, False, True),
        (FRONTEND, "allowed_source", ["a", "b"], ["b", "a"], True),
        (FRONTEND, "allowed_source", [], None, True),
        (FRONTEND, "allowed_source", [], ["a"], False),
        (FARM, "probe", {"type": "http"}, {"type": "http", "method": "GET"}, True),
        (FARM, "probe", {"type": "http"}, {"type": "http", "method": "OPTIONS"}, True),
        (FARM, "probe", {"type": "http"}, {"type": "http", "method": "HEAD"}, False),
        (FARM, "probe", {"type": "http", "method": "GET"}, {"type": "http", "method": "OPTIONS"}, False),
        (FARM, "probe", None, {"type": "tcp"}, False),
        (FARM, "probe", {"type": "tcp"}, None, False),
        (FARM, "display_name", "", None, False),
    ],
)
def test_null_equals_the_default_and_lists_are_sets(
    resource: Any, name: str, wanted: Any, current: Any, expected: bool
) -> None:
    assert same(resource.field(name), wanted, current) is expected


@given(services())
@settings(max_examples=50, deadline=None)
def test_an_object_written_back_as_read_stays_the_same(api: FakeApi) -> None:
    for (kind, protocol, identifier), body in list(api.objects.items()):
        path = f"{protocol}/farm/{body['backendId']}/server" if kind == "server" else f"{protocol}/{kind}"
        path = f"/ipLoadbalancing/loadbalancer-0123456789abcdef/{path}/{identifier}"
        before = from_api(BY_KIND[kind], protocol, api.get(path))
        if kind == "farm" and before.get("probe"):
            before["probe"] = merge_probe(before["probe"], None, "probe")
        sent = to_api(BY_KIND[kind], before)
        api.put(path, {name: value for name, value in sent.items() if name != "zone"})
        after = from_api(BY_KIND[kind], protocol, api.get(path))
        assert all(same(field, before[field.name], after[field.name]) for field in BY_KIND[kind].fields_for(protocol))
