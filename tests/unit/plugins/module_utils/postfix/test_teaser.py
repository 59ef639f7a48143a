# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SMTP check that meets postscreen's teaser finds every backend down: refused before anything is written."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Settings,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.preflight import refuse_teaser

BANNER = "mx1.example.com ESMTP"


def settings(program: str = "postscreen", banner: str = BANNER, access_list: str = "permit_mynetworks") -> Settings:
    return Settings(
        entries={"smtp/inet": Entry("smtp/inet", command=program)},
        effective={"postscreen_greet_banner": banner, "postscreen_access_list": access_list},
    )


@pytest.mark.parametrize(
    ("after", "listener"),
    [
        (settings(), Listener(present=False, checked_by_smtp=True)),
        (settings(access_list="cidr:/etc/postfix/access"), Listener(checked_by_smtp=True)),
    ],
)
def test_a_check_that_meets_the_teaser_is_refused(after: Settings, listener: Listener) -> None:
    with pytest.raises(PostfixError, match="checked_by_smtp: postscreen on smtp/inet"):
        refuse_teaser(after, listener)


@pytest.mark.parametrize(
    ("after", "listener"),
    [
        (settings(), Listener(checked_by_smtp=True)),
        (settings(), Listener(present=False)),
        (settings(banner=""), Listener(present=False, checked_by_smtp=True)),
        (settings("smtpd"), Listener(present=False, checked_by_smtp=True)),
        (settings(), Listener("10025/inet", checked_by_smtp=True)),
    ],
)
def test_a_check_that_does_not_meet_it_is_not(after: Settings, listener: Listener) -> None:
    refuse_teaser(after, listener)
