# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call to the lab's API with python-ovh's own client, as a colleague at a shell would make it.

Usage: call_api.py METHOD PATH [JSON]. Runs in the controller's place with OVH_* in its environment. ``{service}`` in
the path stands for the service.
"""

from __future__ import annotations

import json
import os
import sys

import ovh.client


def main() -> None:
    method, path, *body = sys.argv[1:]
    endpoint = os.environ["OVH_ENDPOINT"]
    # python-ovh takes the names of endpoints only.
    ovh.client.ENDPOINTS[endpoint] = endpoint
    client = ovh.Client()
    service = f"/ipLoadbalancing/{os.environ['OVH_IPLB_SERVICE']}"
    data = json.loads(body[0]) if body else None
    print(json.dumps(client.call(method, path.replace("{service}", service), data)))


if __name__ == "__main__":
    main()
