# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library that speaks SSH, which may be missing. Private to the collection."""

from __future__ import annotations

import logging

try:
    from paramiko import SFTPError, SSHException

    MISSING = False
    # Its threads log what the caller gets as an exception; without a handler that would land on the terminal.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
except ImportError:
    SFTPError = SSHException = OSError  # type: ignore[misc, assignment]
    MISSING = True

# What it raises where a connection is no more, or does not do what it should.
LOST = (EOFError, OSError, SSHException, SFTPError)
