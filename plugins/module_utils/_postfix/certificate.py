# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that Postfix shows to clients, and until when they are good. Private to the collection."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable
from typing import Any

# Where smtpd finds the certificates it serves (Postfix 3.7 postconf(5)); smtpd_tls_chain_files since Postfix 3.4.
PARAMETERS = (
    "smtpd_tls_chain_files",
    "smtpd_tls_cert_file",
    "smtpd_tls_eccert_file",
    "smtpd_tls_dcert_file",
)
DAY = 24 * 60 * 60


def files(assignments: Iterable[tuple[str, str]]) -> list[str]:
    """The certificate files among (parameter, expanded value), each once, in order.

    :param assignments: of main.cf and of services; the name of a service's parameter begins with the service.
    """
    found: dict[str, None] = {}
    for name, value in assignments:
        if name.rpartition("/")[2] in PARAMETERS:
            found.update(dict.fromkeys(path for path in re.split(r"[,\s]+", value) if path.startswith("/")))
    return list(found)


def parse(output: str, now: float) -> dict[str, Any]:
    """``subject``, ``not_after`` (ISO 8601, UTC) and ``days_left`` from ``openssl x509 -subject -enddate``.

    :raises ValueError: when it holds no date.
    """
    fields = dict(line.partition("=")[::2] for line in output.splitlines())
    if "notAfter" not in fields:
        raise ValueError("openssl found no end of the certificate's validity")
    end = ssl.cert_time_to_seconds(fields["notAfter"])
    return {
        "subject": fields.get("subject", "").strip(),
        "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)),
        "days_left": int((end - now) // DAY),
    }
