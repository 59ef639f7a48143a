# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys that come from files on the host where the module runs, so that no variable holds them. Private to the
collection.
"""

from __future__ import annotations

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Values

LONGEST_KEY = 65536  # characters; a file with more is no key


def with_key(written: Values) -> Values:
    """An entry of a certificate with the content of its key_file as its key.

    :raises InvalidInput: for a file that can not be read; its content is never told.
    """
    path = written.get("key_file")
    rest = {name: value for name, value in written.items() if name != "key_file"}
    if path is None:
        return rest
    if written.get("key"):
        raise InvalidInput("key and key_file exclude each other; keep one of them")
    return {**rest, "key": _content(path)}


def _content(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            text = file.read(LONGEST_KEY + 1)
    except OSError as error:
        raise InvalidInput(f"key_file: {path} can not be read ({error.strerror})") from None
    except ValueError:
        raise InvalidInput(f"key_file: {path} is no key in PEM form") from None
    if len(text) > LONGEST_KEY:
        raise InvalidInput(f"key_file: {path} is too long to be a key")
    return text
