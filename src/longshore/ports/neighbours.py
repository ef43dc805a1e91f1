"""The neighbours of a batch service: what keeps secrets, and what lends the credentials of roles."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from longshore.domain.secret import SecretReference


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCredentials:
    """Keys of a role, for a while. They are never stored, and not shown."""

    role_arn: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime


class NeighbourUnavailable(Exception):
    """The neighbour can't be reached or is overloaded; the text says what was tried. Ask again later."""


class NeighbourRefused(Exception):
    """The neighbour will not give what was asked for; the text is its own."""


class Neighbours(Protocol):
    """Every method raises `NeighbourUnavailable` and `NeighbourRefused`."""

    @property
    def lends_roles(self) -> bool:
        """Whether there is somebody to ask for the credentials of roles."""
        ...

    async def fetch_secret(self, reference: SecretReference, *, region: str, role_arn: str | None) -> str:
        """Its value as it is now, fetched as the role; None: in the server's own name."""
        ...

    async def assume_role(self, role_arn: str, *, session_name: str, region: str) -> RoleCredentials:
        """New credentials of the role."""
        ...


class CredentialsDenied(Exception):
    """No credentials for whoever asks: no such attempt, or not with this token."""


class CredentialsDesk(Protocol):
    """Gives the processes of jobs the credentials of their roles."""

    async def credentials(self, attempt_id: str, token: str) -> RoleCredentials:
        """Credentials that last a while yet.

        Raises:
            CredentialsDenied: they are not for whoever asks.
            NeighbourUnavailable: ask again soon.
            NeighbourRefused: the role can't be assumed.
        """
        ...
