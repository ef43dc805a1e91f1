"""Who asks."""

from dataclasses import dataclass

from longshore.domain.ids import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The origin of one request."""

    account_id: str
    region: str
    #: A UUID, told to the caller on success and on error alike.
    request_id: str

    @property
    def scope(self) -> Scope:
        """Where everything lives that this request may name or make."""
        return Scope(account_id=self.account_id, region=self.region)
