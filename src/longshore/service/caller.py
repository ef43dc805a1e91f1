"""Who asks."""

from dataclasses import dataclass

from longshore.domain.access_key import allows
from longshore.domain.errors import AccessDenied
from longshore.domain.ids import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whose signature was verified."""

    #: of the lasting key, also where the signature was made with a temporary one
    key_id: str
    name: str
    account_id: str
    #: None: everything
    actions: tuple[str, ...] | None
    is_temporary: bool = False

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:user/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The origin of one request."""

    account_id: str
    region: str
    #: A UUID, told to the caller on success and on error alike.
    request_id: str
    #: None where requests are not verified: whoever comes is the account's root user
    principal: Principal | None = None
    #: what the caller calls a submission by, so that it is carried out once
    client_token: str | None = None

    @property
    def scope(self) -> Scope:
        """Where everything lives that this request may name or make."""
        return Scope(account_id=self.account_id, region=self.region)

    def authorise(self, action: str) -> None:
        """Raises AccessDenied when the caller's key has a list of actions and this one is not on it."""
        if self.principal is not None and not allows(self.principal.actions, action):
            raise AccessDenied(
                f"User: {self.principal.arn} is not authorized to perform: {action} on resource: *"
                f" because no identity-based policy allows the {action} action"
            )
