# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A variable given on the command line is what it stands for, or refused by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import options
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.options import OptionError, convert, read

ROLES = [path.name for path in Path(options.ROLES).iterdir()]
EVERY = [(name, spec) for role in ROLES for name, spec in options.specification(role).items()]
GOOD: dict[str, Any] = {"bool": True, "int": 3, "list": ["one", "two"], "dict": {"key": "value"}, "str": "text"}
BAD: dict[str, list[Any]] = {
    "bool": ["maybe", "", 2, [], {"a": 1}],
    "int": ["many", "", "1.5", True, [1], {"a": 1}],
    "list": [{"a": 1}, '{"a": 1}', "[one", True],
    "dict": ["nonsense", "", "[1]", 3, ["a"], True, "{a"],
    "str": [["a"], {"a": 1}],
}


def of_type(*kinds: str) -> list[Any]:
    return [pytest.param(name, spec, id=name) for name, spec in EVERY if spec["type"] in kinds]


@pytest.mark.parametrize(("name", "spec"), of_type("list", "dict", "bool", "int"))
def test_no_variable_reaches_the_api_as_the_letters_of_its_text(name: str, spec: Any) -> None:
    good = spec["choices"][:1] if "choices" in spec else GOOD[spec["type"]]
    good = [GOOD["dict"]] if spec.get("elements") == "dict" else good
    assert convert(name, spec, good) == good
    assert convert(name, spec, yaml.safe_dump(good).removesuffix("...\n")) == good
    assert (
        convert(name, spec, f" {yaml.safe_dump(good, default_flow_style=True).removesuffix('...' + chr(10))} ") == good
    )


@pytest.mark.parametrize(("name", "spec"), of_type(*BAD))
def test_what_is_meant_otherwise_is_refused_by_the_name_of_its_variable(name: str, spec: Any) -> None:
    for bad in BAD[spec["type"]]:
        with pytest.raises(OptionError, match=name) as refused:
            convert(name, spec, bad)
        assert "Tagged" not in str(refused.value)


@pytest.mark.parametrize(("name", "spec"), [pytest.param(name, spec, id=name) for name, spec in EVERY])
def test_a_null_is_a_null_or_is_explained(name: str, spec: Any) -> None:
    with pytest.raises(OptionError, match=f"{name} is the text 'null', because -e NAME=VALUE"):
        convert(name, spec, "null")
    if options.takes_null(spec):
        assert convert(name, spec, None) is None
    elif spec["default"] in ("", [], {}):
        assert convert(name, spec, None) == spec["default"]
    else:
        with pytest.raises(OptionError, match=f"{name} is null"):
            convert(name, spec, None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("gra,rbx", ["gra", "rbx"]),
        (" gra , rbx ", ["gra", "rbx"]),
        ("gra", ["gra"]),
        ("", []),
        ("- a\n- b", ["a", "b"]),
    ],
)
def test_zones_may_be_written_as_a_comma_list(text: str, meant: list[str]) -> None:
    assert convert("zones", {"type": "list", "elements": "str"}, text) == meant


def test_a_port_may_be_a_number() -> None:
    assert convert("port", {"type": "str"}, 25) == "25"
    assert convert("ports", {"type": "list", "elements": "str"}, [25, "465"]) == ["25", "465"]


@pytest.mark.parametrize("text", ["balance=leastconn", '{"balance": "leastconn"}', "balance: leastconn"])
def test_farm_options_may_be_written_as_ansible_takes_them(text: str) -> None:
    assert convert("farm_options", {"type": "dict"}, text) == {"balance": "leastconn"}


def test_a_secret_in_a_broken_connection_is_not_shown() -> None:
    for broken in ('{"application_secret": "HiddenValue"', ["HiddenValue"], "HiddenValue"):
        with pytest.raises(OptionError) as refused:
            convert("smtp_load_balancer_connection", {"type": "dict", "default": {}}, broken)
        assert "HiddenValue" not in str(refused.value)


def test_an_empty_place_in_a_list_is_refused() -> None:
    with pytest.raises(OptionError, match=r"zones\[1\] must be a text, and is null"):
        convert("zones", {"type": "list", "elements": "str"}, ["gra", None])


SERVICES = "smtp_load_balancer_services"
ENTRY = {"name": "smtp", "port": "25", "listener": "smtp/inet"}


def as_services(*entries: Any) -> Any:
    return convert(SERVICES, options.specification("smtp_load_balancer")[SERVICES], list(entries))


def test_what_an_entry_of_a_list_says_is_read_as_the_variables_are() -> None:
    said = {"port": 25, "zones": "gra, rbx", "trusted_clients": "192.0.2.1,192.0.2.2", "server_port": "2525"}
    meant = {"port": "25", "zones": ["gra", "rbx"], "trusted_clients": ["192.0.2.1", "192.0.2.2"], "server_port": 2525}
    nulls = {"probe": None, "proxy_protocol_version": None, "trusted_clients": None}
    assert as_services({**ENTRY, **said}, {**ENTRY, **nulls}) == [{**ENTRY, **meant}, {**ENTRY, **nulls}]
    assert as_services({**ENTRY, "farm_options": "balance=leastconn"})[0]["farm_options"] == {"balance": "leastconn"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"name": ["smtp"]}, r"\.name must be a text, and is a list"),
        ({"address": {"a": 1}}, r"\.address must be a text, and is a dictionary"),
        ({"state": False}, r"\.state is 'False', and must be one of present, absent"),
        ({"zones": {"gra": 1}}, r"\.zones must be a list, and is a dictionary"),
        ({"zones": ["gra", None]}, r"\.zones\[1\] must be a text, and is null"),
        ({"dedicated_ipfo": True}, r"\.dedicated_ipfo must be a list, and is true or false"),
        ({"server_port": "25-30"}, r"\.server_port must be a whole number, and is '25-30'"),
        ({"server_options": ["weight"]}, r"\.server_options must be a dictionary, and is a list"),
    ],
)
def test_what_an_entry_of_a_list_means_otherwise_is_refused_by_its_place(said: dict[str, Any], why: str) -> None:
    with pytest.raises(OptionError, match=rf"{SERVICES}\[1\]{why}"):
        as_services(ENTRY, {**ENTRY, **said})


def test_only_what_is_set_is_read() -> None:
    variables = {"drift_report_dir": "here", "drift_report_formats": "json,md"}
    assert read("drift_report", variables, lambda name: variables[name]) == {"dir": "here", "formats": ["json", "md"]}
    with pytest.raises(OptionError, match="drift_report_formats is 'pdf', and must be one of json, md, html"):
        read("drift_report", variables, lambda name: "pdf" if "formats" in name else "x")
