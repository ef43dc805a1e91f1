"""The notifier port: how a use case tells the control loop that there is something to do."""

from typing import Protocol


class Notifier(Protocol):
    """Wakes the control loop. Waking it without need does no harm."""

    def notify(self) -> None:
        """What was written before this call will be looked at soon. Never blocks, never fails."""
        ...
