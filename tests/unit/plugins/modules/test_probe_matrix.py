# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe of a farm: merged with what is there, sent whole, each of its fields with null, again and left out."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.modules.harness import Service, Values
from unit.plugins.modules.test_option_matrix import spec

FARM: Values = {"display_name": "mail", "zone": "gra", "refresh": False}

# Probe that is there, option, its name at the API, values, what the API holds after null.
FIELDS: list[tuple[Values, str, str, tuple[Any, ...], Any]] = [
    ({"type": "smtp"}, "interval", "interval", (31, 3600, 30, 60), 30),
    ({"type": "smtp"}, "port", "port", (2525, 1, 49151), None),
    ({"type": "smtp", "match": "default"}, "negate", "negate", (True, False, True), False),
    ({"type": "smtp"}, "force_ssl", "forceSsl", (True, False, True), False),
    ({"type": "tcp", "pattern": "220"}, "match", "match", ("contains", "matches"), "default"),
    ({"type": "tcp", "match": "contains", "pattern": "a"}, "pattern", "pattern", ("220", "b"), None),
    ({"type": "http", "pattern": "2.."}, "match", "match", ("status", "contains", "matches"), "default"),
    ({"type": "http"}, "url", "url", ("http://example.com/up", "/up"), "/"),
    ({"type": "http"}, "method", "method", ("HEAD", "OPTIONS", "GET", "HEAD"), "GET"),
    ({"type": "mysql"}, "interval", "interval", (45,), 30),
    ({"type": "pgsql"}, "port", "port", (5432,), None),
    ({"type": "oco"}, "interval", "interval", (45,), 30),
]


def probe_of(service: Service) -> Values:
    probe: Values = service.only("tcp/farm")["probe"]
    return probe


def test_the_matrix_covers_every_field_of_a_probe() -> None:
    assert {row[1] for row in FIELDS} | {"type"} == set(spec("farm")["probe"]["options"])


@pytest.mark.parametrize(
    ("there", "option", "api_name", "values", "default"),
    FIELDS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_is_merged_kept_and_reset(
    service: Service, there: Values, option: str, api_name: str, values: tuple[Any, ...], default: Any
) -> None:
    service.run("farm", **FARM, probe=there)
    kept = {name: value for name, value in probe_of(service).items() if name != api_name}

    for value in values:
        probe = {option: value}
        assert service.run("farm", **FARM, probe=probe)["changed"]
        assert probe_of(service)[api_name] == value
        assert {name: held for name, held in probe_of(service).items() if name != api_name} == kept
        assert not service.run("farm", **FARM, probe=probe)["changed"], f"second run with {probe}"
        assert not service.run("farm", **FARM, probe={**there, **probe})["changed"]
        assert not service.run("farm", **FARM, probe={})["changed"], "fields that are absent were not left alone"
        assert not service.run("farm", **FARM)["changed"]

    if api_name == "pattern":
        return  # this match needs it
    assert service.run("farm", **FARM, probe={option: None})["changed"]
    assert probe_of(service)[api_name] == default
    assert not service.run("farm", **FARM, probe={option: None})["changed"]


@pytest.mark.parametrize("kind", ["http", "mysql", "oco", "pgsql", "smtp", "tcp"])
@pytest.mark.parametrize("empty", ["null", "empty", "fields"])
@pytest.mark.parametrize("defaults", ["filled", "stored"])
def test_a_probe_is_added_and_taken_away(service: Service, kind: str, empty: str, defaults: str) -> None:
    service.simulator.reset(empty_probe=empty, probe_defaults=defaults, probe_null="refuse")
    service.run("farm", **FARM)
    assert not service.run("farm", **FARM, probe=None)["changed"]
    assert service.run("farm", **FARM, probe={"type": kind})["changed"]
    assert probe_of(service)["type"] == kind
    assert not service.run("farm", **FARM, probe={"type": kind})["changed"]
    assert not service.run("farm", **FARM, probe={"type": kind, "interval": 30, "match": "default"})["changed"]
    assert service.run("farm", **FARM, probe=None)["changed"]
    assert service.only("tcp/farm")["probe"] is None
    assert not service.run("farm", **FARM, probe=None)["changed"]


def test_a_probe_of_another_type_takes_over_port_and_interval_alone(service: Service) -> None:
    http = {"type": "http", "port": 8025, "interval": 60, "match": "status", "pattern": "200", "url": "/up"}
    service.run("farm", **FARM, probe=http)
    assert service.run("farm", **FARM, probe={"type": "smtp"})["changed"]
    probe = probe_of(service)
    assert (probe["type"], probe["port"], probe["interval"]) == ("smtp", 8025, 60)
    assert (probe["match"], probe["pattern"], probe["url"]) == ("default", None, None)
    assert not service.run("farm", **FARM, probe={"type": "smtp"})["changed"]
    assert service.run("farm", **FARM, probe={"type": "oco"})["changed"]
    assert not service.run("farm", **FARM, probe={"type": "oco"})["changed"]


def test_a_probe_without_type_is_a_tcp_probe(service: Service) -> None:
    assert service.run("farm", **FARM, probe={"interval": 60})["changed"]
    assert probe_of(service)["type"] == "tcp"
    assert not service.run("farm", **FARM, probe={"interval": 60})["changed"]
