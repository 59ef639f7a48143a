# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives a module that runs in this process its arguments, on every ansible-core that the collection supports.

``ansible.module_utils.testing`` does it from ansible-core 2.19 on only.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from ansible.module_utils import basic


def module_arguments(arguments: dict[str, Any]) -> AbstractContextManager[Any]:
    """Modules started in this context find the arguments where Ansible leaves them for its own."""
    encoded = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    # Before 2.19 there is no profile: it says how the arguments are encoded.
    return mock.patch.multiple(basic, create=True, _ANSIBLE_ARGS=encoded, _ANSIBLE_PROFILE="legacy")
