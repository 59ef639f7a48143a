# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task asks for that is no object of the table: settings of the service itself, a free certificate. No I/O.
Private to the collection.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.checks import check_zone
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import SERVICE_FIELDS
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import NO_PROTOCOL, Values
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import normalise_fields

_HOST_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


@dataclass(frozen=True)
class Order:
    """A free certificate for these names, and what it is to be called."""

    names: frozenset[str]
    display_name: str | None = None


def desired_order(written: Values) -> Order:
    """:raises InvalidInput: for names that are none, or options that go with material only."""
    for option in ("certificate", "chain", "key", "key_file", "certificate_id", "force"):
        if written.get(option):
            raise InvalidInput(f"fqdn and {option} exclude each other: OVHcloud makes a free certificate itself")
    if written.get("state") == "absent":
        raise InvalidInput("fqdn: a free certificate is deleted by its display_name or certificate_id, without fqdn")
    names = frozenset(str(name).strip().lower() for name in written["fqdn"] or ())
    if not names:
        raise InvalidInput("fqdn is empty; name the hosts that the certificate is to be for")
    bad = sorted(name for name in names if not _HOST_NAME.fullmatch(name))
    if bad:
        raise InvalidInput(f"fqdn: {', '.join(bad)} is not the full name of a host, such as mail.example.com")
    return Order(names, written.get("display_name"))


def desired_settings(written: Values, where: str = "service") -> Values:
    """The written settings in canonical form.

    :raises InvalidInput: for a value the API would refuse.
    """
    fields = {field.name: written[field.name] for field in SERVICE_FIELDS if field.name in written}
    values = normalise_fields(SERVICE_FIELDS, NO_PROTOCOL, fields, where)
    if "quota_alerts" in written:
        values["quota_alerts"] = _alerts(written["quota_alerts"], f"{where}: quota_alerts")
    if "vrack" in written:
        values["vrack"] = _vrack(written["vrack"], f"{where}: vrack")
    return values


def _alerts(written: Values | None, where: str) -> Values:
    if not written:
        raise InvalidInput(f"{where} names no zone; give each zone its bytes, or null for no alert, or leave it out")
    alerts = {check_zone(str(zone), where): _alert(value, f"{where}.{zone}") for zone, value in written.items()}
    if len(alerts) < len(written):
        raise InvalidInput(f"{where} names a zone twice; keep one of them")
    return alerts


def _alert(value: t.Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).strip().isdecimal():
        raise InvalidInput(f'{where}: "{value}" is not a number of bytes; use a whole number, or null for no alert')
    return int(value)


def _vrack(name: str | None, where: str) -> str | None:
    if name is None or name.strip():
        return name and name.strip()
    raise InvalidInput(f"{where} is empty; name a vRack, such as pn-12345, or null to leave it")
