# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is found on a host, as Postfix's own postconf reads its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix import host
from ansible_collections.mailops.ovh_iplb.plugins.modules import postfix_info

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not host.is_installed(), reason="needs Postfix")]

MASTER = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
127.0.0.1:10025 inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=
2525 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
"""


@pytest.mark.parametrize(
    ("line", "override", "expecting"),
    [
        ("", "", []),
        ("", " -o smtpd_upstream_proxy_protocol=haproxy", ["smtp/inet"]),
        ("smtpd_upstream_proxy_protocol = haproxy", "", ["smtp/inet", "submission/inet"]),
        ("postscreen_upstream_proxy_protocol = haproxy", "", ["2525/inet"]),
    ],
)
def test_a_service_that_answers_421_for_a_line_of_main_cf_is_found(
    tmp_path: Path, line: str, override: str, expecting: list[str]
) -> None:
    (tmp_path / "main.cf").write_text(f"compatibility_level = 2\nqueue_directory = {tmp_path}\n{line}\n")
    (tmp_path / "master.cf").write_text(MASTER.replace("smtpd\n", f"smtpd{override}\n", 1))
    assert postfix_info.read(str(tmp_path))["listeners"] == expecting
