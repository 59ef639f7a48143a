# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out the first steps of a Postfix transaction and die as if killed. Runs on a backend, on Python 3.9 too.

Usage: cut.py SERVICE on|off STEPS; prints the name of the last step, or nothing when there was none left to cut after.
Without STEPS the transaction is carried out.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import Listener, Request
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preparation import prepare
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.transaction import Transaction


def main(service: str, wanted: str, steps: str = "") -> None:
    request = Request(listeners=(Listener(service, present=wanted == "on", trusted_clients=()),))
    with tempfile.TemporaryDirectory() as copy:
        prepared = prepare(host.default_directory(), request, "restart", copy)
    transaction = Transaction(prepared, 30)
    if not steps:
        if prepared.changed:
            transaction.run()
        return
    names = [name for name, dummy in transaction.steps()]
    if int(steps) >= len(names):
        return
    for dummy, step in transaction.steps()[: int(steps)]:
        step()
    print(["nothing", *names][int(steps)], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
