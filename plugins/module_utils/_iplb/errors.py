# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of the engine. Private to the collection."""

from __future__ import annotations

import platform
import sys
import typing as t


class IplbError(Exception):
    """Base of everything the engine raises on purpose.

    ``details`` goes into the module's result beside ``msg``; it never holds a secret.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(IplbError):
    """What the user wrote can not be carried out; nothing was written."""


class ForeignChanges(InvalidInput):
    """Changes of others wait, and the task is not to publish them."""


class RefreshFailed(IplbError):
    """The written configuration did not go live."""


class NotHealthy(IplbError):
    """The configuration is live, but a server did not become healthy in time."""


class ApiError(IplbError):
    """The API answered with an error, or not at all.

    :param status: HTTP status, or None when no answer arrived.
    :param error: ``class`` or ``errorCode`` of the answer.
    :param query_id: value of ``X-Ovh-Queryid``, which OVHcloud's support asks for.
    :param iam_actions: IAM actions that the credentials lack.
    """

    def __init__(
        self,
        message: str,
        *,
        call: str,
        status: int | None = None,
        error: str | None = None,
        query_id: str | None = None,
        iam_actions: t.Sequence[str] = (),
    ) -> None:
        self.status = status
        self.error = error
        self.query_id = query_id
        self.iam_actions = list(iam_actions)
        self.reason = message
        super().__init__(
            self._describe(message, call),
            call=call,
            status=status,
            error=error,
            query_id=query_id,
            iam_actions=self.iam_actions,
        )

    @property
    def is_refusal(self) -> bool:
        """Whether the API said that it did not do what it was asked to."""
        return self.status is not None and self.status >= 300

    def _describe(self, message: str, call: str) -> str:
        facts = [str(fact) for fact in (self.status, self.error) if fact]
        text = f"{call}: {message}" + (f" ({', '.join(facts)})" if facts else "")
        if self.iam_actions:
            text += f"; missing IAM action: {', '.join(self.iam_actions)}"
        if self.query_id:
            text += f"; query id {self.query_id}"
        return text


class LostAnswer(ApiError):
    """A request that is not safe to repeat may or may not have been carried out."""


def library_missing(import_error: str, remedy: str) -> str:
    """Name the interpreter that ran: often not the one that has the library, where Ansible chose among several.

    :param import_error: The traceback of the import.
    :param remedy: How another interpreter is chosen.
    """
    reason = import_error.strip().rpartition("\n")[2]
    where = f"{sys.executable} on {platform.node()}, which ran this ({reason})"
    install = f"{sys.executable} -m pip install ovh"
    return f"the Python package ovh is missing for {where}: {remedy}; or install it there: {install}"
