# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recurrence rules of schedules, as AWX 24 takes them (SchedulePreviewSerializer; what dateutil refuses, too)."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from awx.rules import expect

START = re.compile(r"DTSTART(?:;TZID=(?P<zone>[^:]+))?:(?P<time>\d+T\d+)(?P<utc>Z?)(?=\s|$)")
FREQUENCIES = {"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"}
KEYS = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYDAY",
    "BYHOUR",
    "BYMINUTE",
    "BYMONTH",
    "BYMONTHDAY",
    "BYSETPOS",
    "WKST",
}
DAYS = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"}


def check_rrule(value: str) -> None:
    """:raises Refused: as AWX would."""
    check_start(value)
    for word in ("EXDATE", "RDATE"):
        expect(f"{word}:" not in value.upper(), "rrule", f"{word} not allowed in rrule.")
    rules = re.findall(r"RRULE:(\S*)", value)
    expect(rules, "rrule", "One or more rule required in rrule.")
    for rule in rules:
        check_rule(rule)


def check_start(value: str) -> None:
    starts = list(START.finditer(value))
    expect(starts, "rrule", "Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ")
    expect(len(starts) == 1, "rrule", "Multiple DTSTART is not supported.")
    (start,) = starts
    expect(start["utc"] or start["zone"], "rrule", "DTSTART cannot be a naive datetime.")
    expect(not (start["utc"] and start["zone"]), "rrule", "rrule parsing failed validation: two time zones")
    expect(is_time(start["time"]), "rrule", f"rrule parsing failed validation: {start['time']} is no time")
    expect(not start["zone"] or is_zone(start["zone"]), "rrule", "A valid TZID must be provided")


def check_rule(rule: str) -> None:
    expect(re.fullmatch(r"[A-Z]+=[^;=]+(;[A-Z]+=[^;=]+)*", rule), "rrule", f"rrule parsing failed validation: {rule}")
    parts = dict(part.split("=") for part in rule.split(";"))
    expect(set(parts) <= KEYS, "rrule", f"rrule parsing failed validation: unknown parameter in {rule}")
    expect("INTERVAL" in parts, "rrule", f"INTERVAL required in rrule: {rule}")
    expect(parts["INTERVAL"].isdecimal(), "rrule", f"rrule parsing failed validation: {rule}")
    expect(parts.get("FREQ") in FREQUENCIES, "rrule", f"FREQ not supported: {rule}")
    expect(not {"COUNT", "UNTIL"} <= set(parts), "rrule", f"RRULE may not contain both COUNT and UNTIL: {rule}")
    count = parts.get("COUNT", "1")
    expect(count.isdecimal() and int(count) <= 999, "rrule", f"COUNT > 999 is unsupported: {rule}")
    until = parts.get("UNTIL", "20260101T000000Z")
    expect(is_time(until.removesuffix("Z")), "rrule", f"rrule parsing failed validation: UNTIL={until}")
    days = parts["BYDAY"].split(",") if "BYDAY" in parts else []
    expect(not any(day[0].isdecimal() for day in days), "rrule", f"BYDAY with numeric prefix not supported: {rule}")
    expect(set(days) <= DAYS, "rrule", f"rrule parsing failed validation: invalid 'BYDAY': {rule}")


def is_time(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%dT%H%M%S")
    except ValueError:
        return False
    return len(text) == len("20260101T000000")


def is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
