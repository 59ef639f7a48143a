# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer that refuses says, and what to do about it. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError

RUN_AGAIN = "run again, and ask OVHcloud's support if it stays so"
# What to do about the errors that users meet first (python-ovh README, OVHcloud guides on API credentials).
REMEDIES = {
    "INVALID_SIGNATURE": "check application_secret and consumer_key, and this machine's clock",
    "QUERY_TIME_OUT": "the clock of this machine is off; set it by NTP",
    "NOT_CREDENTIAL": "the consumer key does not exist; create one for this application key",
    "INVALID_CREDENTIAL": "the consumer key or access token is expired or was not validated; create a new one",
    "INVALID_KEY": "the application key does not exist at this endpoint",
    "NOT_GRANTED_CALL": "the consumer key does not cover this call; create one with access to /ipLoadbalancing/*",
}
# Of answers that say no more than their status (python-ovh maps 460 to an expired service).
STATUS_REMEDIES = {
    403: "these credentials may not do this; give them the right to",
    404: "it is gone, or was never there; check what names it, and run again",
    409: "something else uses it, or is under way with it; change that, or run again when it is over",
    500: RUN_AGAIN,
    460: "the service has expired; renew it, or correct service_name",
    **dict.fromkeys((502, 503, 504), "the API is down or under maintenance; run again later"),
}
# Some answers have a class instead of an errorCode, the same for many errors (go-ovh's output for a bad signature):
# then the message tells.
ERROR_CODES = {
    "Invalid signature": "INVALID_SIGNATURE",
    "Query out of time": "QUERY_TIME_OUT",
    "This credential does not exist": "NOT_CREDENTIAL",
    "This credential is not valid": "INVALID_CREDENTIAL",
    "This application key is invalid": "INVALID_KEY",
    "This call has not been granted": "NOT_GRANTED_CALL",
}


def error_from(answer: t.Any, call: str) -> ApiError:
    """The error in an answer: both generations of OVHcloud's error bodies, or a proxy's page that is not JSON."""
    try:
        body, unsaid = answer.json(), "the API gives no reason"
    except ValueError:
        body, unsaid = {}, "the answer is not JSON"
    body = body if isinstance(body, dict) else {}
    error = body.get("errorCode") or body.get("class")
    message = str(body.get("message") or unsaid)
    iam_actions = _iam_actions(body.get("details"))
    remedy = REMEDIES.get(str(body.get("errorCode") or ERROR_CODES.get(message)))
    if not (remedy or iam_actions):
        remedy = STATUS_REMEDIES.get(answer.status_code)
    return ApiError(
        f"{message}; {remedy}" if remedy else message,
        call=call,
        status=answer.status_code,
        error=error,
        query_id=answer.headers.get("X-Ovh-Queryid"),
        iam_actions=iam_actions,
    )


def _iam_actions(details: t.Any) -> list[str]:
    """``unauthorizedActionsByIAM`` is a string of actions joined by commas (go-ovh error_test.go)."""
    if not isinstance(details, dict):
        return []
    actions = details.get("unauthorizedActionsByIAM") or details.get("unauthorizedActionsByAuthentication") or ""
    if isinstance(actions, str):
        actions = actions.split(",")
    return [str(action).strip() for action in actions if str(action).strip()] if isinstance(actions, list) else []
