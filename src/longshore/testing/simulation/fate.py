"""What goes wrong between a server and the world, and when: drawn by the seed, and no more once it is calm."""

from collections import Counter
from collections.abc import Callable
from random import Random

from longshore.testing.simulation.scenario import PlannedCrash, Scenario

#: After so long without its point a crash comes at another, but not at calls that are made all the time.
PATIENCE_SECONDS = 30.0
IDLE_CALLS = ("fingerprint", "attach", "discover", "read_logs")


class Fate:
    """Decides; asked in the same order it always decides the same."""

    def __init__(self, scenario: Scenario, boot_seconds: Callable[[], float]) -> None:
        self._scenario = scenario
        self._boot_seconds = boot_seconds
        self._random = Random(f"{scenario.seed} fate")
        self._crashes: list[PlannedCrash] = list(scenario.crashes)
        self._passed: Counter[PlannedCrash] = Counter()

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self._boot_seconds() >= self._scenario.calm_at

    def must_die(self, point: str) -> bool:
        """Whether the server that came to `point` dies there."""
        now = self._boot_seconds()
        for crash in self._crashes:
            if crash.at > now:
                break
            # A point that is not reached for long is given up for any other at which something is under way.
            is_overdue = now > crash.at + PATIENCE_SECONDS and not point.startswith(IDLE_CALLS)
            if crash.point == point or is_overdue:
                self._passed[crash] += 1
                if self._passed[crash] > crash.skip or is_overdue:
                    self._crashes.remove(crash)
                    return True
        return False

    def down_time(self) -> float:
        """Seconds until a dead server is started again."""
        return round(self._random.choice((0.0, 0.5, self._random.uniform(0.0, 20.0))), 3)

    def delay(self) -> float:
        """Seconds that a server waits at a gate."""
        chance = self._random.random()
        if self.is_calm or chance < 0.7:
            return 0.0
        if chance < 0.95:
            return round(self._random.uniform(0.001, 0.05), 3)
        if chance < 0.995:
            return round(self._random.uniform(0.1, 2.0), 3)
        return round(self._random.uniform(2.0, 15.0), 3)

    def store_fails(self) -> bool:
        """Whether a write fails."""
        now = self._boot_seconds()
        return any(window.holds(now) for window in self._scenario.store_failures) and self.happens(0.7)

    def logs_fail(self) -> bool:
        """Whether a write to the logs fails."""
        now = self._boot_seconds()
        return any(window.holds(now) for window in self._scenario.log_failures) and self.happens(0.5)

    def happens(self, share: float) -> bool:
        """Whether something that goes wrong in this share of cases goes wrong now."""
        return not self.is_calm and self._random.random() < share
