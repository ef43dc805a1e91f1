"""What the works of one group share, so that statements are run for all of them together."""

from dataclasses import dataclass, field

from longshore.domain.ids import Scope
from longshore.store.statements import Row


class HeldBackFailed(Exception):
    """Rows of several works could not be inserted together; nothing of the transaction may be committed."""


@dataclass(slots=True)
class NewRows:
    """Rows of jobs that were submitted and are not inserted yet."""

    specs: list[Row] = field(default_factory=list[Row])
    jobs: list[Row] = field(default_factory=list[Row])

    def extend(self, others: "NewRows") -> None:
        """Take those over, which are empty then."""
        self.specs += others.specs
        self.jobs += others.jobs
        others.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self.specs.clear()
        self.jobs.clear()


@dataclass(slots=True)
class Batch:
    """What is held back of one transaction."""

    #: whether rows may be held back at all
    holds_back: bool = True
    #: of works that have succeeded
    new: NewRows = field(default_factory=NewRows)
    #: highest that was given out, once it is known; the counter itself is raised at the end
    highest_key: int | None = None
    #: numbers of queues
    queue_ids: dict[tuple[Scope, str], int] = field(default_factory=dict[tuple[Scope, str], int])
