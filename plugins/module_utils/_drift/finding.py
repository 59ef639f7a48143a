# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a drift report is made of, and what it says, with secrets masked. Pure. Private to the collection.

A finding is a dictionary:

- ``where``: ``load balancer``, or the inventory name of a backend
- ``object``: what it is about, such as ``server tcp/gra/smtp/192.0.2.11:25`` or ``main.cf``; ``id`` is its API id
- ``field``: the field or parameter, or None for the object as a whole
- ``declared``, ``found``: the values, secrets masked; ``declared_text``, ``found_text`` the same in words
- ``kind``: one of KINDS; ``kind_text`` is the same in words
- ``level``: ``drift`` (the playbook changes it), ``unknown`` (it could not be told), ``notice`` (worth knowing)
- ``note``: what more there is to say, or an empty text
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.keys import object_key, server_key
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import by_zone
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values

LOAD_BALANCER = "load balancer"
LEVELS = ("drift", "unknown", "notice")
KINDS = {
    "changed": "differs",
    "missing": "missing",
    "surplus": "to be removed",
    "pending": "waiting for a refresh",
    "stopped": "not running",
    "stale": "not in effect",
    "unmanaged": "not managed",
    "unreachable": "unreachable",
    "failed": "could not be compared",
    "certificate": "to be renewed",
    "health": "not healthy",
}
HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(r"passw(or)?d|secret|token|credential|api_?key|private_key", re.IGNORECASE)
# A password in a URL may hold any sign; Postfix's static: tables name user and password.
_USER_INFO = re.compile(r"(?<=://)\S+(?=@)|(?<=\bstatic:)[^\s:]+:\S+")


@dataclass(frozen=True)
class Host:
    """What was found on a backend. ``postfix`` and ``steps`` are results of modules in check mode.

    ``postfix`` is that of postfix_info; each of ``steps`` is ``{"object": …, "result": …}`` and would change the host.
    ``listeners`` are the services of master.cf that are declared, ``firewall`` is who guards their ports.
    """

    name: str
    address: str | None = None
    postfix: t.Mapping[str, t.Any] | None = None
    steps: t.Sequence[t.Mapping[str, t.Any]] = ()
    failure: str = ""
    listeners: t.Sequence[str] = ()
    firewall: str = "nftables"


@dataclass(frozen=True)
class Sources:
    """Everything the report is made of.

    ``plan`` is the result of load_balancer in check mode, ``info`` that of load_balancer_info, ``declared`` the options
    of load_balancer. ``left_out`` are backends that the run does not look at.
    """

    generated: str
    plan: t.Mapping[str, t.Any]
    info: t.Mapping[str, t.Any]
    declared: t.Mapping[str, t.Any]
    hosts: t.Sequence[Host] = ()
    left_out: t.Sequence[str] = ()
    unmanaged: str = "notice"
    certificate_days: int = 30


def pending_by_zone(sources: Sources) -> dict[str, int]:
    return by_zone(dict(sources.info.get("pending_changes") or {}), sources.info.get("zones") or ())


def server_health(server: t.Mapping[str, t.Any]) -> Values:
    """The instances' verdicts in one: ``state`` up, down, partly or unknown; ``text`` says on how many instances."""
    states = [str(item.get("status") or "unknown") for item in server.get("server_state") or ()]
    contents = [str(item.get("last_check_content") or "") for item in server.get("server_state") or ()]
    if not states or not server.get("probe"):
        return {"state": "unknown", "text": "not checked" if not server.get("probe") else "no check yet", "content": ""}
    up = sum(state.upper().startswith("UP") for state in states)
    others = sorted({state for state in states if not state.upper().startswith("UP")})
    if up == len(states):
        return {"state": "up", "text": f"UP on {up} of {len(states)}", "content": ""}
    down = any(state.upper().startswith("DOWN") for state in states)
    state = "unknown" if not up and not down else "partly" if up else "down"
    text = f"{', '.join(others)} on {len(states) - up} of {len(states)}"
    content = next((content for content, word in zip(contents, states) if word in others and content), "")
    return {"state": state, "text": text, "content": content}


def make_finding(
    where: str,
    name: str,
    kind: str,
    level: str,
    identifier: int | None = None,
    field: str | None = None,
    declared: t.Any = None,
    found: t.Any = None,
    note: str = "",
) -> Values:
    declared, found = mask(field, declared), mask(field, found)
    return {
        "where": where,
        "object": name,
        "id": identifier,
        "field": field,
        "declared": declared,
        "found": found,
        "declared_text": "" if declared is None and field is None else in_words(declared, "not set"),
        "found_text": "" if found is None and field is None else in_words(found, "not set"),
        "kind": kind,
        "kind_text": KINDS[kind],
        "level": level,
        "note": mask(None, note),
    }


def mask(name: str | None, value: t.Any) -> t.Any:
    """The value with anything hidden that looks like a secret, by its name or by its form."""
    if isinstance(value, t.Mapping):
        return {key: mask(f"{name}.{key}" if name else str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(name, item) for item in value]
    if not isinstance(value, str) or not value:
        return value
    if name and _SECRET_NAME.search(name):
        return HIDDEN
    return _USER_INFO.sub(HIDDEN, value)


def in_words(value: t.Any, nothing: str = "none") -> str:
    """A value on one line, for people."""
    if value is None:
        return nothing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, t.Mapping):
        return ", ".join(f"{key}: {in_words(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(in_words(item) for item in value) or "none"
    return " ".join(str(value).split()) or "empty"


def without_nulls(values: t.Mapping[str, t.Any]) -> Values:
    """A whole object: only what says something."""
    return {
        name: without_nulls(value) if isinstance(value, t.Mapping) else value
        for name, value in values.items()
        if value not in (None, [], "")
    }


def as_text(value: t.Any) -> str:
    return "" if value is None else str(value)


def is_unread(info: t.Mapping[str, t.Any]) -> bool:
    return bool(info.get("failed")) or "farms" not in info


def answer_key(item: t.Mapping[str, t.Any]) -> str:
    return object_key(item["protocol"], item)


def answer_server_key(farm: t.Mapping[str, t.Any], server: t.Mapping[str, t.Any]) -> str:
    return server_key(answer_key(farm), server, farm.get("port"))
