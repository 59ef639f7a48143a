# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nobody outside OVHcloud knows for sure is a switch: a client has to work under every setting.

One row per switch: allowed values (or ``int`` for a number), default, meaning.
The README lists the same rows; a unit test keeps the two together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Union

Value = Union[str, int]  # In an annotation, Python 3.9 would know the bar.


@dataclass(frozen=True)
class Switch:
    name: str
    values: tuple[str, ...]  # empty: a number, 0 or more
    default: Value
    meaning: str

    def parse(self, value: Any) -> Value:
        """Accepts the value or its text, ``true``/``false`` for on/off. Raises ValueError."""
        text = {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        text = {"true": "on", "false": "off"}.get(text.lower(), text)
        if self.values:
            if text not in self.values:
                raise ValueError(f"switch {self.name} takes {', '.join(self.values)}, not {value!r}")
            return text
        if not text.isdigit():
            raise ValueError(f"switch {self.name} takes a number, not {value!r}")
        return int(text)


ON_OFF = ("on", "off")
REFUSE = ("refuse", "accept")

SWITCHES = (
    # Refresh and tasks
    Switch("refresh_seconds", (), 10, "duration of a refresh task, before the time scale"),
    Switch(
        "second_refresh", ("conflict", "noop"), "conflict", "a refresh while one runs: 409, or a task without effect"
    ),
    Switch("refresh_nothing_pending", REFUSE, "accept", "a refresh of zones without pending changes; refuse is 400"),
    Switch(
        "undeployable_refresh", ("refuse", "task_error"), "refuse", "an undeployable configuration: 400, or task error"
    ),
    Switch(
        "task_outcome",
        ("done", "error", "cancelled", "blocked", "blocked_then_done"),
        "done",
        "how tasks end; blocked ones stay so, blocked_then_done ones recover",
    ),
    Switch("task_seconds", (), 10, "duration of any other task, before the time scale"),
    Switch("finished_task_vanishes", ON_OFF, "off", "finished tasks answer 404 and leave the list at once"),
    Switch("writes_during_refresh", REFUSE, "accept", "writes while a refresh runs; refuse is 409"),
    # Pending changes
    Switch("pending_counting", ("writes", "objects", "difference"), "writes", "what a pending change is"),
    Switch("pending_over", ("done", "started"), "done", "when what a refresh takes live no longer waits"),
    Switch("pending_zero_entries", ON_OFF, "off", "zones without changes appear with number 0"),
    Switch("noop_put_counts", ON_OFF, "off", "a PUT that changes nothing counts as a change"),
    Switch(
        "zone_counts_for_all",
        ("each", "all"),
        "each",
        "an object in zone all counts in each zone, or in one called all",
    ),
    # Writes
    Switch("delete_used_farm", REFUSE, "refuse", "DELETE of a farm with servers, frontends or routes; refuse is 409"),
    Switch(
        "read_only_change",
        ("refuse", "ignore"),
        "refuse",
        "another value for a read-only field in a PUT; refuse is 400",
    ),
    Switch("unknown_keys", ("refuse", "ignore"), "refuse", "keys that the schema does not have; refuse is 400"),
    Switch(
        "null_on_not_nullable",
        ("refuse", "default"),
        "refuse",
        "null on a field that is never null: 400, or its default",
    ),
    Switch(
        "unknown_farm_status", ("404", "400"), "404", "status when a frontend or route names a farm that is not there"
    ),
    Switch(
        "farm_frontend_zone_mismatch",
        REFUSE,
        "refuse",
        "a frontend's farm outside its zone and not in all; refuse is 400",
    ),
    Switch("frontend_port_clash", REFUSE, "accept", "two frontends on one port of one zone; refuse is 409"),
    Switch("duplicate_server", REFUSE, "accept", "an address and port twice in one farm; refuse is 409"),
    Switch("unknown_dedicated_ipfo", REFUSE, "refuse", "a dedicatedIpfo that is not in /failover; refuse is 400"),
    Switch("allow_loopback_servers", ON_OFF, "off", "127.0.0.0/8 as a server address"),
    Switch("public_servers", REFUSE, "accept", "server addresses outside private and documentation ranges"),
    Switch("frontend_port_number", REFUSE, "refuse", "a JSON number as a frontend's port, which is a string"),
    Switch("zone_case", ("strict", "insensitive"), "strict", "GRA for gra"),
    Switch("cidr_without_mask", ("normalise", "keep", "refuse"), "normalise", "1.2.3.4 in a list of blocks"),
    Switch(
        "tcp_name_field", ("host", "sni", "both"), "both", "what availableRouteRules calls a TLS client's name on tcp"
    ),
    # Certificates
    Switch(
        "certificate_fingerprint",
        ("sha1", "sha256", "sha1_colons", "sha256_colons", "other"),
        "sha1",
        "form of a certificate's fingerprint; other is none that a client knows",
    ),
    Switch("certificate_bundle", REFUSE, "refuse", "a chain in the field certificate; refuse is 400"),
    Switch("duplicate_certificate", REFUSE, "refuse", "the same certificate twice; refuse is 409"),
    Switch("delete_used_certificate", REFUSE, "refuse", "DELETE of a frontend's defaultSslId; refuse is 409"),
    Switch("delete_built_certificate", REFUSE, "refuse", "DELETE of a free certificate; refuse is 400"),
    Switch("tls_changes_count", ON_OFF, "on", "certificates and sslConfiguration are pending changes, in each zone"),
    # vRack
    Switch("vrack", ("inactive", "active"), "inactive", "active: attached from the start, with one network"),
    Switch("public_servers_in_vrack", REFUSE, "refuse", "public server addresses in farms with a network"),
    Switch("detach_with_networks", REFUSE, "refuse", "detaching while networks exist; refuse is 409, else they go"),
    Switch("finished_vrack_task", ("vanishes", "stays"), "vanishes", "a vRack's task after its end: 404, or there"),
    # Probes
    Switch("probe_null", REFUSE, "accept", "probe: null as a way to remove a probe ({} always is one)"),
    Switch(
        "empty_probe", ("null", "empty", "fields"), "null", "how no probe reads: null, {}, or fields that are all null"
    ),
    Switch(
        "probe_defaults", ("filled", "stored"), "filled", "fields of a probe that were not written: defaults, or null"
    ),
    Switch("http_probe_method", ("GET", "OPTIONS"), "GET", "default method of http probes"),
    # Reading
    Switch("lists_shuffled", ON_OFF, "on", "ids (routes excepted) and block lists come in any order"),
    Switch("null_flags", ON_OFF, "off", "backup, probe and ssl that are off read null, as on old servers"),
    Switch("generated_cookie", ("hidden", "shown"), "hidden", "cookie of a server that needs one and was given none"),
    Switch("server_state_missing", ("empty", "null", "absent"), "empty", "serverState before a server is deployed"),
    Switch(
        "bulk_lists",
        ("fresh", "stale", "stale_always", "ids", "refused", "cut"),
        "fresh",
        "lists with X-Pagination-Mode: whole objects; old ones unless no-cache, or always; ids; 400; only the first",
    ),
    Switch("bulk_stale_seconds", (), 60, "age up to which a stale bulk list is answered again"),
    Switch("bulk_cut", (), 1000, "objects that a cut bulk list has, without telling"),
    # Authentication and pace
    Switch("auth_error_shape", ("both", "class", "errorCode"), "both", "fields of authentication errors"),
    Switch("token_seconds", (), 3599, "lifetime of an OAuth2 access token"),
    Switch("timestamp_window", (), 180, "seconds that X-Ovh-Timestamp may be off"),
    Switch("requests_per_minute", (), 0, "429 with Retry-After above it (a scaled minute); 0 is no limit"),
    Switch("latency_ms", (), 0, "how long every answer takes at least"),
)

BY_NAME = {switch.name: switch for switch in SWITCHES}
# Verdicts of refreshes and numbers have tests of their own.
MIXED = [switch for switch in SWITCHES if switch.values and switch.name != "task_outcome"]


def mixtures(count: int) -> list[dict[str, str]]:
    """So many ways to set all switches at once, where each setting is in about as many as the others of its switch."""
    spread = {}
    for switch in MIXED:
        values = [switch.values[number % len(switch.values)] for number in range(count)]
        random.Random(switch.name).shuffle(values)
        spread[switch.name] = values
    return [{name: values[number] for name, values in spread.items()} for number in range(count)]


class Switches:
    """Current settings. ``start`` is what a reset returns to."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = parse_all(start)
        self.values: dict[str, Value] = {}
        self.reset({})

    def reset(self, changes: dict[str, Any]) -> None:
        self.values = {switch.name: switch.default for switch in SWITCHES} | self.start | parse_all(changes)

    def update(self, changes: dict[str, Any]) -> None:
        self.values |= parse_all(changes)

    def __getitem__(self, name: str) -> str:
        return str(self.values[name])

    def number(self, name: str) -> int:
        return int(self.values[name])

    def on(self, name: str) -> bool:
        return self.values[name] == "on"


def parse_all(changes: dict[str, Any]) -> dict[str, Value]:
    """Raises ValueError that names an unknown switch or an impossible value."""
    unknown = sorted(set(changes) - set(BY_NAME))
    if unknown:
        raise ValueError(f"unknown switch {', '.join(unknown)}; known are {', '.join(sorted(BY_NAME))}")
    return {name: BY_NAME[name].parse(value) for name, value in changes.items()}
