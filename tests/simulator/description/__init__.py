# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the API, as data: models, enumerations and operations, in the YAML files beside this one.

Neither the simulator nor the collection is made from it. Both have tables of their own, and tests compare the tables
with this: what is missing on either side fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

WRITE, CREATE, READ, SECRET = "write", "create", "read", "secret"


@dataclass(frozen=True)
class ApiField:
    """``access``: write, create (settable at creation only), read, or secret (taken at creation, never answered)."""

    name: str
    type: str
    nullable: bool = False
    access: str = WRITE
    required: bool = False

    @property
    def creatable(self) -> bool:
        return self.access in (WRITE, CREATE, SECRET)

    @property
    def answered(self) -> bool:
        return self.access != SECRET

    @property
    def choices(self) -> tuple[str, ...]:
        """Values of an enumeration that a customer may set; none for other types."""
        return tuple(value for value in ENUMS.get(self.type, ()) if value != "internal")


Model = dict[str, ApiField]


@dataclass(frozen=True)
class ApiOperation:
    """``body`` names what is taken, ``required`` what has to be there. ``query``: parameters and their operators.

    ``creates`` and ``changes`` name the model whose fields are the body; ``returns`` a model, a type or nothing;
    ``expanded`` the model that a list answers instead of ids when asked for; ``state`` is beta or deprecated.
    """

    method: str
    path: str
    body: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    creates: str | None = None
    changes: str | None = None
    returns: str | None = None
    expanded: str | None = None
    state: str | None = None


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((Path(__file__).parent / f"{name}.yml").read_text())
    return loaded


def _operation(method: str, path: str, row: dict[str, Any]) -> ApiOperation:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    if "creates" in row:
        fields = [entry for entry in MODELS[row["creates"]].values() if entry.creatable]
        values["body"] = tuple(entry.name for entry in fields)
        values["required"] = tuple(entry.name for entry in fields if entry.required)
        values["returns"] = row["creates"]
    if "changes" in row:
        values["body"] = tuple(entry.name for entry in MODELS[row["changes"]].values() if entry.access == WRITE)
    return ApiOperation(method, path, **values)


ENUMS: dict[str, tuple[str, ...]] = {name: tuple(values) for name, values in _load("enums").items()}
MODELS: dict[str, Model] = {
    model: {name: ApiField(name, **entry) for name, entry in fields.items()}
    for model, fields in _load("models").items()
}
OPERATIONS: dict[tuple[str, str], ApiOperation] = {
    (method, path): _operation(method, path, row)
    for path, methods in _load("operations").items()
    for method, row in methods.items()
}
