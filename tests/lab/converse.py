# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Hold one SMTP session: print the greeting, then send each line of the input and print the reply's last line.

Runs in the client's place. ``\r\n`` in a line is a line end, so that a whole message is one line. An empty line of
output means that the server is gone.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import TextIO


def main() -> None:
    with socket.create_connection((sys.argv[1], 25), 30) as connection, connection.makefile("rw", newline="") as smtp:
        print(_reply(smtp), flush=True)
        for line in sys.stdin:
            with contextlib.suppress(OSError):
                smtp.write(line.rstrip("\n").replace(r"\r\n", "\r\n") + "\r\n")
                smtp.flush()
            print(_reply(smtp), flush=True)


def _reply(smtp: TextIO) -> str:
    with contextlib.suppress(OSError):
        while line := smtp.readline():
            if line[3:4] != "-":
                return line.strip()
    return ""


if __name__ == "__main__":
    main()
