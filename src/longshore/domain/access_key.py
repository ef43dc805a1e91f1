"""Access keys: who a signature is of, and what its owner may do.

Actions are named as in policies of AWS Identity and Access Management: `batch:SubmitJob`, with `*` for any rest and `?`
for any character, in any case. Source: IAM user guide, JSON policy element Action.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from longshore.domain.errors import InvalidRequest

#: The services whose actions a key may be allowed; `longshore` is our own API.
SERVICES = ("batch", "logs", "longshore")
#: Reading `/metrics`, which shows the whole server and no account's part of it, is for keys that may do nothing else.
READ_METRICS = "longshore:ReadMetrics"

_ACTION = re.compile(r"([a-z]+):([A-Za-z*?]{1,128})\Z")
_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}\Z")
_ACCOUNT = re.compile(r"[0-9]{12}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A key that requests are signed with."""

    id: str
    #: the user that its owner is called
    name: str
    #: None: the account that is the server's setting
    account_id: str | None
    #: None: everything
    actions: tuple[str, ...] | None
    is_enabled: bool
    created_at: datetime
    #: nobody but the server that has the sealing key can read it
    sealed_secret: str


def check_key(name: str, account_id: str | None, actions: Sequence[str] | None) -> None:
    """Raises InvalidRequest, which says what would be right."""
    if not _NAME.match(name):
        raise InvalidRequest(f"the name {name[:100]!r} is not 1 to 64 letters, digits and characters of +=,.@_-")
    if account_id is not None and not _ACCOUNT.match(account_id):
        raise InvalidRequest(f"the account {account_id[:100]!r} is not a number of 12 digits")
    for action in actions or ():
        found = _ACTION.match(action)
        if found is None or found[1] not in SERVICES:
            services = ", ".join(SERVICES)
            text = f"{action[:100]!r} is not an action: SERVICE:NAME, as batch:SubmitJob or logs:Get*, of {services}"
            raise InvalidRequest(text)


def allows(actions: Sequence[str] | None, action: str) -> bool:
    """Whether the list has `action`; None allows everything."""
    return actions is None or any(_compiled(pattern).match(action) for pattern in actions)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    # Stars that follow each other are one: two would multiply the ways to match.
    text = re.sub(r"\*+", "*", pattern)
    return re.compile("".join(wild.get(character) or re.escape(character) for character in text) + r"\Z", re.IGNORECASE)
