# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out one Postfix transaction for some listeners. Runs on a backend, on Python 3.9 too.

The argument is JSON: ``{"listeners": [{"service": …}], "apply": …, "check": …}``. Prints what became of it, as JSON:
``error`` or ``warnings``, and ``apply``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import Listener, PostfixError, Request
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preparation import prepare
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.transaction import Transaction

TIMEOUT = 10


def main() -> None:
    wanted = json.loads(sys.argv[1])
    try:
        print(json.dumps(listen(wanted)))
    except PostfixError as error:
        print(json.dumps({"error": str(error)}))


def listen(wanted: dict[str, Any]) -> dict[str, Any]:
    listeners = tuple(Listener(**{"trusted_clients": (), **options}) for options in wanted["listeners"])
    with tempfile.TemporaryDirectory() as copy:
        apply = wanted.get("apply", "restart")
        prepared = prepare(host.default_directory(), Request(listeners=listeners), apply, copy)
    change = Transaction(prepared, TIMEOUT)
    if prepared.changed and not wanted.get("check"):
        change.run()
    return {"warnings": [*prepared.warnings, *change.warnings], "apply": prepared.apply}


if __name__ == "__main__":
    main()
