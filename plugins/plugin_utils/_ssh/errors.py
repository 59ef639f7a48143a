# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong on the way to a host, as the worker that runs the task is told it. Private to the collection."""

from __future__ import annotations

import json

UNREACHABLE = "unreachable"  # no connection, or one that was lost
SIGN_IN = "sign-in"  # the host let nobody in
FAILED = "failed"  # the connection is fine, what was asked for is not
BUSY = "busy"  # the host gives no further session on this connection
GONE = "gone"  # the connection ended before anything was asked of the host, so it may be asked again


class SshError(Exception):
    """``kind`` is one of the words above. It may cross from one process to another."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    def to_bytes(self) -> bytes:
        return json.dumps([self.kind, self.message]).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> SshError:
        kind, message = json.loads(data)
        return cls(kind, message)
