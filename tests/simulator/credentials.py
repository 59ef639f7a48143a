# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixed credentials of the simulator. They open nothing anywhere else."""

from __future__ import annotations

APPLICATION_KEY = "simulatorAppKey0"
APPLICATION_SECRET = "simulatorApplicationSecret000000"

CONSUMER_KEY = "simulatorConsumerKey000000000000"
EXPIRED_CONSUMER_KEY = "simulatorConsumerKeyExpired00000"
# Its IAM policy lacks DENIED_ACTIONS.
LIMITED_CONSUMER_KEY = "simulatorConsumerKeyLimited00000"
# Its access rules grant GET only.
READ_ONLY_CONSUMER_KEY = "simulatorConsumerKeyReadOnly0000"

DENIED_ACTIONS = frozenset(
    {
        "loadbalancer:apiovh:tcp/farm/create",
        "loadbalancer:apiovh:tcp/farm/edit",
        "loadbalancer:apiovh:tcp/farm/delete",
        "loadbalancer:apiovh:refresh",
    }
)

CLIENT_ID = "EU.simulatorclient00"
CLIENT_SECRET = "simulatorClientSecret00000000000"
ACCESS_TOKEN = "simulatorAccessToken"
