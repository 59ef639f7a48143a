# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # How to reach and sign in to the API; the options of module_utils/_iplb/options.py connection_options().
    DOCUMENTATION = r"""
options:
  service_name:
    description:
      - Name of the load balancer, such as C(loadbalancer-0123456789abcdef) or C(ip-198.51.100.25).
      - Without it, the environment variable E(OVH_IPLB_SERVICE).
    type: str
  endpoint:
    description:
      - API to use, V(ovh-eu), V(ovh-ca) or V(ovh-us), or an http(s) URL such as
        C(https://eu.api.ovh.com/1.0).
      - Without it, the environment variable E(OVH_ENDPOINT), then C(endpoint) of the section C(default) in C(ovh.conf).
    type: str
  application_key:
    description:
      - Key of an OVHcloud application, together with O(application_secret) and O(consumer_key).
      - Credentials are taken from the strongest source that has any. These are the options, the environment
        (E(OVH_APPLICATION_KEY) and so on, named like the options), and C(ovh.conf) where Ansible was started, in the
        home directory as C(~/.ovh.conf), or in C(/etc), in the section named after the endpoint. Weaker sources
        complete what it began, but never bring in another kind of credentials.
    type: str
  application_secret:
    description: Secret of the OVHcloud application.
    type: str
  consumer_key:
    description: Consumer key, validated for the application.
    type: str
  client_id:
    description: Id of an OAuth2 client (service account), together with O(client_secret).
    type: str
  client_secret:
    description: Secret of the OAuth2 client.
    type: str
  access_token:
    description: A bearer token that somebody else obtained, for instance a secret store.
    type: str
  timeout:
    description: Seconds to wait for the answer to one request.
    type: float
    default: 60.0
  retries:
    description:
      - How often a request is repeated after a status of 429, 502, 503 or 504, a time-out or a lost connection.
        The pause between two attempts grows, and follows C(Retry-After).
      - A creation whose answer was lost is never repeated blindly; the object is looked for first.
    type: int
    default: 5
  concurrency:
    description:
      - Calls that are made at once, V(1) to V(20). Without it, the environment variable E(OVH_IPLB_CONCURRENCY), then
        V(10).
    type: int
  calls_per_minute:
    description:
      - An even pace for the calls of all processes of a user that have the same consumer key, client id or token.
        OVHcloud advises to stay below V(60). Without it, the environment variable E(OVH_IPLB_CALLS_PER_MINUTE);
        without both, there is no pace.
      - Processes share the pace through a file in the user's runtime directory, or in C(~/.cache). Where they share
        none, as jobs in containers, each keeps the pace alone.
      - Time spent on the pace does not count against C(wait_timeout), and C(Retry-After) of the API wins.
    type: float
  bulk_reads:
    description:
      - With V(auto), lists are asked for whole objects instead of ids, which saves a call for each object. Such answers
        may come from a cache, so what is built on them is compared with single reads, before anything is written and in
        part in each run; the first answer that is not right turns them off for the run.
      - What an old list leaves out and the task does not name, such as a server that a purge should take, may be found
        by a later run only.
      - With V(never), every object is read by itself.
      - Without it, the environment variable E(OVH_IPLB_BULK_READS), then V(auto).
    type: str
    choices: [auto, never]
requirements:
  - ovh >= 1.2.0 (Python library)
"""
