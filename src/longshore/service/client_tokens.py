"""Client tokens: a submission that comes again under its token is carried out once.

AWS Batch knows none for SubmitJob: a client that repeats a call whose answer was lost gets a second job there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, cast

import msgspec

from longshore.domain.ids import Scope
from longshore.ports.store import Transaction
from longshore.service.refusals import invalid

TOKEN_TAG = "longshore:client-token"
#: For so long a token stands for the request that it came with.
TOKEN_LIFE = timedelta(days=1)

_TOKEN = re.compile("[ -~]{1,64}")
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCall:
    """A request under its token."""

    token: str
    #: equal for requests that ask for the same, see `digest_of`
    digest: str

    def earlier_job(self, tx: Transaction, scope: Scope, uuid: str, *, at: datetime) -> str | None:
        """The job of an earlier such call; None for the first, and from now on the token stands for job `uuid`.

        Raises:
            InvalidRequest: the token came with another request.
        """
        payload = f"{self.digest} {uuid}"
        earlier = tx.note_call(scope, "SubmitJob", self.token, payload, at=at, forget_before=at - TOKEN_LIFE)
        if earlier is None:
            return None
        digest, _, known = earlier.partition(" ")
        if digest != self.digest:
            raise invalid(
                f"The client token {self.token} was used for another request, which submitted job {known}: "
                "repeat that one as it was, or choose another token"
            )
        return known


def token_of(given: str | None, tags: Mapping[str, str] | None) -> str | None:
    """The token of a request: `given` beside it, or a tag of the job, which keeps it.

    Raises:
        InvalidRequest: there are two, or it is malformed.
    """
    tagged = tags.get(TOKEN_TAG) if tags else None
    if given is not None and tagged is not None and given != tagged:
        raise invalid(f"The client token is {given[:100]} in the header and {tagged[:100]} in the tag {TOKEN_TAG}")
    token = tagged if given is None else given
    if token is not None and not _TOKEN.fullmatch(token):
        raise invalid(f"A client token should be 1 to 64 printable characters of ASCII, got {token[:100]!r}")
    return token


def digest_of(submission: object) -> str:
    """Equal for submissions that say the same, whatever the order of members in it.

    What is empty is taken for absent, as it is everywhere in a submission, so a member that a later version adds does
    not make another request of one that lacks it. The token is no part of what is compared. Names are not resolved: a
    definition without a revision stays the same request when there is a new one.
    """
    members = msgspec.json.decode(_encode(submission), type=dict[str, Any])
    tags: dict[str, str] = members.pop("tags") or {}
    tags.pop(TOKEN_TAG, None)
    members |= {"tags": tags, "client_token": None, "size_bytes": None}
    return blake2b(_encode(_without_absent(members)), digest_size=16).hexdigest()


def _without_absent(value: Any) -> Any:
    match value:
        case dict():
            members = {name: _without_absent(member) for name, member in cast("dict[str, Any]", value).items()}
            return {name: member for name, member in members.items() if member not in (None, [], {})}
        case list():
            return [_without_absent(item) for item in cast("list[Any]", value)]
        case _:
            return value
