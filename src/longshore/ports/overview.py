"""The overview port: what the leader knows in memory of the present, for people who look at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.ports.engine import Capabilities
from longshore.scheduling.forecast.outlook import Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHealth:
    """One engine as it was when last asked."""

    name: str
    #: why it can't be used now; empty when it can
    problem: str
    capabilities: Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUse:
    """One host and what is left of it."""

    id: HostId
    total: Resources
    free: Resources


class Overview(Protocol):
    """The present, called on the event loop: in short, from memory and at once, or as a copy."""

    def engines(self) -> Sequence[EngineHealth]: ...

    def hosts(self) -> Sequence[HostUse]: ...

    async def outlook(self) -> Outlook | None:
        """A copy of the present as the scheduler sees it; None while that is not known."""
        ...
