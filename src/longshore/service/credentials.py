"""Finding the secret behind a signature: that of a stored key, or of a session lent from one.

A session is stored nowhere: its token holds it, sealed. It ends at its time, and with the key that it was lent from.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from longshore.domain.access_key import AccessKey
from longshore.domain.errors import AccessDenied, NotAuthenticated
from longshore.ports.clock import Clock
from longshore.ports.sealing import Sealer, Unsealable
from longshore.ports.store import Store
from longshore.service.caller import Principal
from longshore.service.keys import TEMPORARY, new_key_id, new_secret, purpose_of

_PURPOSE = "session token"


class UnknownKey(NotAuthenticated):
    """The security token included in the request is invalid."""


class ExpiredSession(NotAuthenticated):
    """The security token included in the request is expired"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A secret, and who the one is that knows it."""

    secret: str
    principal: Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Temporary credentials."""

    key_id: str
    secret: str
    token: str
    expires_at: datetime


class _Token(msgspec.Struct, frozen=True, array_like=True):
    """What a session token holds; a form that is read must be read for as long as sessions last."""

    lent_by: str
    key_id: str
    secret: str
    #: seconds since 1970
    expires_at: int


class CredentialDesk:
    """Finds and lends credentials."""

    def __init__(self, store: Store, sealer: Sealer, clock: Clock, *, account_id: str) -> None:
        """`account_id` is that of keys that name none."""
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._account_id = account_id

    async def find(self, key_id: str, token: str | None) -> Credentials:
        """The credentials of `key_id`.

        Raises:
            UnknownKey: there is no such key, it is disabled, or the token does not belong to it.
            ExpiredSession: the session has ended.
        """
        if token is None:
            key = await self._enabled(key_id)
            return Credentials(secret=self._secret_of(key), principal=self._principal(key))
        session = self._open(token)
        if session.key_id != key_id:
            raise UnknownKey
        if session.expires_at <= self._clock.now().timestamp():
            raise ExpiredSession
        key = await self._enabled(session.lent_by)
        return Credentials(secret=session.secret, principal=self._principal(key, is_temporary=True))

    async def lend(self, principal: Principal, duration: timedelta) -> Session:
        """Credentials with all powers of the principal's key, but this one, for so long.

        Raises:
            AccessDenied: the principal has temporary credentials itself.
        """
        if principal.is_temporary:
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        expires_at = int((self._clock.now() + duration).timestamp())
        token = _Token(principal.key_id, new_key_id(TEMPORARY), new_secret(), expires_at)
        return Session(
            key_id=token.key_id,
            secret=token.secret,
            token=self._sealer.seal(msgspec.json.encode(token), purpose=_PURPOSE),
            expires_at=datetime.fromtimestamp(expires_at, UTC),
        )

    async def has_usable_key(self) -> bool:
        """Whether there is an enabled key whose secret can be read."""
        return any(key.is_enabled and self._secret_of(key) for key in await self._store.read(lambda r: r.access_keys()))

    async def _enabled(self, key_id: str) -> AccessKey:
        key = await self._store.read(lambda reader: reader.access_key(key_id))
        if key is None or not key.is_enabled:
            raise UnknownKey
        return key

    def _secret_of(self, key: AccessKey) -> str:
        return self._sealer.open(key.sealed_secret, purpose=purpose_of(key.id)).decode()

    def _open(self, token: str) -> _Token:
        try:
            return msgspec.json.decode(self._sealer.open(token, purpose=_PURPOSE), type=_Token)
        except (Unsealable, msgspec.DecodeError):
            raise UnknownKey from None

    def _principal(self, key: AccessKey, *, is_temporary: bool = False) -> Principal:
        return Principal(
            key_id=key.id,
            name=key.name,
            account_id=key.account_id or self._account_id,
            actions=key.actions,
            is_temporary=is_temporary,
        )
