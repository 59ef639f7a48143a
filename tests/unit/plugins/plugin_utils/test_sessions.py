# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who keeps a host from being drained."""

from __future__ import annotations

from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.sessions import sessions_left

# As ss of iproute2 6.1 prints it, shortened.
TWO = """\
ESTAB      0      0         192.0.2.11:25 198.51.100.129:40012
\t cubic wscale:7,7 rto:204 bytes_acked:74 lastsnd:290100 lastrcv:290120 lastack:290050 pacing_rate 1bps
CLOSE-WAIT 0      0      [2001:db8::11]:25 [2001:db8:1::9]:40013
\t cubic wscale:7,7 rto:204 lastsnd:9 lastrcv:1500 lastack:9
"""


def test_who_keeps_a_host_from_being_drained_is_told_with_how_long() -> None:
    assert sessions_left(TWO) == (
        "2 sessions of the load balancer (198.51.100.129:40012, silent for 290 s; "
        "[2001:db8:1::9]:40013, whose client has left, silent for 1 s)"
    )


def test_a_crowd_is_counted() -> None:
    crowd = "".join(f"ESTAB 0 0 192.0.2.11:25 198.51.100.129:{port}\n" for port in range(40000, 40100))
    told = sessions_left(crowd)
    assert told.startswith("100 sessions of")
    assert told.endswith("; and 95 more)")
