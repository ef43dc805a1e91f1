"""What happened in a run: its last lines to read, and a digest of all to compare runs by."""

import sys
from collections import deque
from collections.abc import Callable, Generator, MutableMapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, NoReturn

import structlog

_TAIL = 60


class SimulationFailed(Exception):
    """An invariant does not hold, or the code under test raised what it must not."""

    def __init__(self, *, seed: int, step: int, invariant: str, problem: str, tail: Sequence[str]) -> None:
        self.seed = seed
        self.step = step
        self.invariant = invariant
        self.problem = problem
        lines = "\n".join(f"  {line}" for line in tail)
        super().__init__(
            f"seed {seed}, step {step}: {invariant}: {problem}\n{lines}\n"
            f"replay: python -m longshore.testing.simulation --seed {seed}"
        )


class Trace:
    """One run's story."""

    def __init__(self) -> None:
        self.step = 0
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._digest = blake2b(digest_size=16)

    def note(self, at: float, text: str) -> None:
        """Something happened."""
        self.step += 1
        line = f"{at:10.3f}  {text}"
        self._tail.append(f"{self.step:6d}{line}")
        self._digest.update(line.encode() + b"\n")

    def tail(self) -> Sequence[str]:
        """The last lines."""
        return list(self._tail)

    def digest(self) -> str:
        """Equal for equal runs."""
        return self._digest.hexdigest()


@contextmanager
def log_to(hear: Callable[[str, BaseException | None], None]) -> Generator[None]:
    """Have each event that the code under test logs told to `hear`, with what is being handled, and written nowhere."""

    def tell(logger: Any, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        hear(event["event"], sys.exception())
        raise structlog.DropEvent

    # In place, as loggers that were used before hold the very list.
    processors = structlog.get_config()["processors"]
    real = list(processors)
    processors[:] = [tell]
    try:
        yield
    finally:
        processors[:] = real
