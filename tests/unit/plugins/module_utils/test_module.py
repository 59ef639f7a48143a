# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Absent, null and value stay apart through Ansible's own handling of arguments, for every option there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._module import NullAwareModule

Values = dict[str, Any]
Path = tuple[str, ...]
MakeModule = Callable[[Values, Values], NullAwareModule]

MODULES = ("load_balancer", "farm", "server", "frontend", "refresh", "load_balancer_info")
EXAMPLES: Values = {"str": "text", "path": "/a/path", "int": 3, "float": 2.5, "bool": True}


def argument_spec(module: str) -> Values:
    return dict(import_module(f"ansible_collections.mailops.ovh_iplb.plugins.modules.{module}").argument_spec())


@pytest.fixture
def make_module(monkeypatch: pytest.MonkeyPatch) -> MakeModule:
    def make(spec: Values, arguments: Values) -> NullAwareModule:
        encoded = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", encoded)
        # ansible-core 2.19 and later want to know how the arguments are serialised; earlier ones have no such name.
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        return NullAwareModule(argument_spec=spec, supports_check_mode=True)

    return make


def options_of(spec: Values, above: Path = ()) -> Iterator[tuple[Path, Values]]:
    for name, option in spec.items():
        yield (*above, name), option
        yield from options_of(option.get("options", {}), (*above, name))


ALL_OPTIONS = [
    pytest.param(module, path, option, id=f"{module}-{'.'.join(path)}")
    for module in MODULES
    for path, option in options_of(argument_spec(module))
]


def option_at(spec: Values, path: Path) -> Values:
    option = spec[path[0]]
    return option_at(option["options"], path[1:]) if path[1:] else option


def written_at(spec: Values, path: Path, value: Any) -> Values:
    """Arguments with this value at this path, inside lists of one entry."""
    if not path[1:]:
        return {path[0]: value}
    inner = written_at(spec[path[0]]["options"], path[1:], value)
    return {path[0]: [inner] if spec[path[0]]["type"] == "list" else inner}


def example(option: Values) -> Any:
    single = option["choices"][-1] if "choices" in option else EXAMPLES.get(option["type"], {})
    if option["type"] != "list":
        return single
    return [{}] if option["elements"] == "dict" else [single if "choices" in option else "text"]


@pytest.mark.parametrize(("name", "path", "option"), ALL_OPTIONS)
def test_a_value_is_written(make_module: MakeModule, name: str, path: Path, option: Values) -> None:
    arguments = written_at(argument_spec(name), path, example(option))
    assert make_module(argument_spec(name), arguments).written == arguments


@pytest.mark.parametrize(("name", "path", "option"), ALL_OPTIONS)
def test_null_is_written_as_null_even_where_there_are_choices(
    make_module: MakeModule, name: str, path: Path, option: Values
) -> None:
    arguments = written_at(argument_spec(name), path, None)
    module = make_module(argument_spec(name), arguments)
    assert module.written == arguments
    if not path[1:]:
        assert module.params[path[0]] == option.get("default"), "what Ansible itself sees is as if absent"


@pytest.mark.parametrize("name", MODULES)
def test_what_is_absent_is_not_written_although_it_has_a_default(make_module: MakeModule, name: str) -> None:
    assert make_module(argument_spec(name), {}).written == {}


@pytest.mark.parametrize("empty", [0, False, "", []])
def test_empty_values_are_not_absent(make_module: MakeModule, empty: Any) -> None:
    kind = {int: "int", bool: "bool", str: "str", list: "list"}[type(empty)]
    assert make_module({"option": {"type": kind}}, {"option": empty}).written == {"option": empty}


def test_values_are_validated_and_converted(make_module: MakeModule) -> None:
    arguments = {"farms": [{"port": "25", "servers": [{"weight": "0", "probe": "yes"}]}]}
    assert make_module(argument_spec("load_balancer"), arguments).written == {
        "farms": [{"port": 25, "servers": [{"weight": 0, "probe": True}]}]
    }


def test_entries_of_a_list_do_not_mix(make_module: MakeModule) -> None:
    servers: list[Values] = [{"weight": None}, {}, {"weight": 0, "proxy_protocol_version": None}, {"probe": False}]
    arguments = {"farms": [{"servers": servers}, {"servers": []}, {"servers": None}]}
    assert make_module(argument_spec("load_balancer"), arguments).written == arguments


@pytest.mark.parametrize("key", ["name", "alias", "other"])
@pytest.mark.parametrize("value", ["a", None])
def test_an_alias_is_written_under_the_first_name(make_module: MakeModule, key: str, value: str | None) -> None:
    nested = {"name": {"type": "str", "aliases": ["alias", "other"], "choices": ["a", "b"]}}
    spec = {"list": {"type": "list", "elements": "dict", "options": nested}, **nested}
    module = make_module(spec, {key: value, "list": [{key: value}]})
    assert module.written == {"name": value, "list": [{"name": value}]}


@pytest.mark.parametrize("text", ['{"type": "smtp", "interval": 60}', "type=smtp interval=60"])
def test_a_probe_as_text_writes_only_what_stands_there(make_module: MakeModule, text: str) -> None:
    written = make_module(argument_spec("farm"), {"probe": text}).written
    assert written == {"probe": {"type": "smtp", "interval": 60}}


def test_an_entry_of_a_list_as_text_writes_only_what_stands_there(make_module: MakeModule) -> None:
    arguments = {"farms": ['{"display_name": "smtp", "servers": [{"address": "192.0.2.11"}]}', {"port": None}]}
    first, second = make_module(argument_spec("load_balancer"), arguments).written["farms"]
    assert None not in first.values()
    assert None not in first["servers"][0].values()
    assert first["servers"][0]["address"] == "192.0.2.11"
    assert second == {"port": None}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"farms": [{"balance": "fastest"}]}, "balance"),
        ({"farms": [{"blance": "first"}]}, "blance"),
        ({"farms": [None]}, "farms"),
        ({"farms": [{"port": "smtp"}]}, "port"),
        ({"farms": [{"probe": {"typ": None}}]}, "typ"),
        ({"frontends": "smtp"}, "dictionary requested"),
        ({"purge_farm": None}, "purge_farm"),
    ],
)
def test_what_ansible_refuses_stays_refused(
    make_module: MakeModule, capsys: pytest.CaptureFixture[str], arguments: Values, complaint: str
) -> None:
    with pytest.raises(SystemExit):
        make_module(argument_spec("load_balancer"), arguments)
    assert complaint in json.loads(capsys.readouterr().out)["msg"]


def test_the_arguments_of_many_objects_are_returned_as_they_were_written(
    make_module: MakeModule, capsys: pytest.CaptureFixture[str]
) -> None:
    farms = [{"display_name": "smtp", "probe": None, "servers": [{"address": "192.0.2.11", "port": 25}]}]
    # From 2.21 on they are returned only where they are asked for.
    asked = {"_ansible_inject_invocation": True} if "inject_invocation" in PASS_VARS else {}
    module = make_module(argument_spec("load_balancer"), {"farms": farms, "application_secret": "hidden", **asked})
    with pytest.raises(SystemExit):
        module.exit_json(changed=False)
    returned = json.loads(capsys.readouterr().out)["invocation"]["module_args"]
    assert returned["farms"] == farms
    assert returned["refresh"] is True, "what the whole task defaults to is named"
