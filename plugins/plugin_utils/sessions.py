# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sockets of a host say of sessions that do not end. Pure. Private to the collection."""

from __future__ import annotations

import re

_SOCKET = re.compile(r"^(?P<state>[A-Z-]+)\s.*\s(?P<peer>\S+:\d+)\s*$")
_SILENT = re.compile(r"\blastrcv:(\d+)")  # milliseconds, of ss --info
_MOST = 5


def sessions_left(sockets: str) -> str:
    """How many sessions ``ss -Htni`` lists, with whom, and for how long nothing has come from there."""
    told: list[str] = []
    for line in sockets.splitlines():
        socket = _SOCKET.match(line)
        silent = _SILENT.search(line)
        if socket:
            told.append(socket["peer"] + (", whose client has left" if socket["state"] == "CLOSE-WAIT" else ""))
        elif silent and told:
            told[-1] += f", silent for {int(silent[1]) // 1000} s"
    count = f"{len(told)} session{'' if len(told) == 1 else 's'}"
    more = f"; and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return f"{count} of the load balancer ({'; '.join(told[:_MOST])}{more})"
