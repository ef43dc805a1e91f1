"""The credentials of job roles, lent to the processes of the job and to nobody else.

A token is derived from the attempt's id with a key of this installation: nothing of it is stored, and a job that runs
on while the server is restarted gets its credentials as before.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from longshore.control.ledger import OpenAttempt
from longshore.domain.ids import AttemptId
from longshore.ports.clock import Clock
from longshore.ports.neighbours import CredentialsDenied, Neighbours, NeighbourUnavailable, RoleCredentials

#: SDKs ask for new ones when theirs expire within 15 minutes. Source: botocore, credentials.py
_RENEWED_BEFORE = timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class LendingSettings:
    """How credentials reach jobs."""

    #: of this installation, 32 bytes
    key: bytes
    #: by engine: the URL that its jobs reach, to which the attempt's id is added; others get none
    urls: Mapping[str, str]


class JobRoles:
    """Implements `ports.neighbours.CredentialsDesk`."""

    def __init__(
        self,
        neighbours: Neighbours,
        settings: LendingSettings,
        clock: Clock,
        find: Callable[[AttemptId], OpenAttempt | None],
    ) -> None:
        """`find` gives the attempt of an id that is open; it raises NeighbourUnavailable while that is not known."""
        self._neighbours = neighbours
        self._settings = settings
        self._clock = clock
        self._find = find
        self._lent: dict[AttemptId, RoleCredentials] = {}

    async def variables(self, entry: OpenAttempt) -> Mapping[str, str]:
        """How the container gets at the credentials of its role, which can be assumed.

        Source: AWS SDKs and tools reference guide, container credential provider.
        """
        url = self._settings.urls.get(entry.engine)
        if url is None or not self._neighbours.lends_roles:
            return {}
        await self._lend(entry)
        attempt_id = entry.attempt.attempt_id
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{attempt_id}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._token(attempt_id),
        }

    async def credentials(self, attempt_id: str, token: str) -> RoleCredentials:
        # Bytes: text with other characters than ASCII can't be compared in constant time.
        if not hmac.compare_digest(self._token(attempt_id).encode(), token.encode()):
            raise CredentialsDenied("the token is not that of the attempt")
        entry = self._find(AttemptId(attempt_id))
        if entry is None or entry.attempt.has_ended or not entry.container.properties.job_role_arn:
            raise CredentialsDenied("no attempt with a role runs under this id")
        return await self._lend(entry)

    async def _lend(self, entry: OpenAttempt) -> RoleCredentials:
        attempt_id, role_arn = entry.attempt.attempt_id, entry.container.properties.job_role_arn or ""
        now = self._clock.now()
        lent = self._lent.get(attempt_id)
        if lent is not None and lent.expires_at - now > _RENEWED_BEFORE:
            return lent
        region = entry.job.spec.scope.region
        try:
            lent = await self._neighbours.assume_role(role_arn, session_name=attempt_id, region=region)
        except NeighbourUnavailable:
            if lent is None or lent.expires_at <= now:
                raise
            return lent  # they hold on a while, and the SDK asks again
        self._lent.pop(attempt_id, None)
        self._lent[attempt_id] = lent
        while (oldest := next(iter(self._lent))) != attempt_id and self._lent[oldest].expires_at <= now:
            del self._lent[oldest]
        return lent

    def _token(self, attempt_id: str) -> str:
        return blake2b(attempt_id.encode(), key=self._settings.key, digest_size=32, person=b"job-role").hexdigest()
