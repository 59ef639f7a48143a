# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab that is up has to remember: how it was asked for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .layout import STATE
from .system import LabError

FILE = STATE / "lab.json"


@dataclass(frozen=True)
class State:
    release: str
    backends: int
    image: str

    def save(self) -> None:
        draft = FILE.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.rename(FILE)

    @classmethod
    def load(cls) -> State | None:
        return cls(**json.loads(FILE.read_text())) if FILE.exists() else None

    @classmethod
    def require(cls) -> State:
        state = cls.load()
        if state is None:
            raise LabError("there is no lab: `lab up` makes one")
        return state
