# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates Postfix shows, and how long they are good."""

from __future__ import annotations

import calendar

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.certificate import files, parse

OUTPUT = "subject=CN = mx1.example.com\nnotAfter=Nov 19 14:01:22 2036 GMT\n"
END = calendar.timegm((2036, 11, 19, 14, 1, 22))
DAY = 24 * 60 * 60


def test_files_of_main_cf_and_of_services_each_once() -> None:
    assert files(
        [
            ("smtpd_tls_cert_file", "/etc/ssl/mx.pem"),
            ("smtpd_tls_chain_files", "/etc/ssl/key-and-chain.pem, /etc/ssl/ec.pem"),
            ("submission/inet/smtpd_tls_cert_file", "/etc/ssl/submission.pem"),
            ("smtps/inet/smtpd_tls_cert_file", "/etc/ssl/mx.pem"),
            ("smtpd_tls_key_file", "/etc/ssl/key.pem"),
            ("smtpd_tls_eccert_file", ""),
            ("smtpd_tls_dcert_file", "none"),
        ]
    ) == ["/etc/ssl/mx.pem", "/etc/ssl/key-and-chain.pem", "/etc/ssl/ec.pem", "/etc/ssl/submission.pem"]


@pytest.mark.parametrize(("now", "days"), [(END - 10 * DAY, 10), (END - DAY + 1, 0), (END, 0), (END + 1, -1)])
def test_days_left_are_whole_days(now: float, days: int) -> None:
    assert parse(OUTPUT, now) == {
        "subject": "CN = mx1.example.com",
        "not_after": "2036-11-19T14:01:22Z",
        "days_left": days,
    }


def test_an_answer_without_a_date_is_an_error() -> None:
    with pytest.raises(ValueError, match="no end"):
        parse("subject=CN = mx1.example.com\n", END)
