"""What the leader learns of how long attempts run; kept with the ends that it is learned from."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from longshore.domain.job import Attempt, JobSpec
from longshore.domain.run_lengths import RunHistory, RunLengths, family, parts_family, run_seconds
from longshore.ports.store import Transaction
from longshore.scheduling.snapshot import RunLength

#: Families that are kept; beyond that those go of which nothing was heard for longest.
MOST_FAMILIES = 10_000


class Learning:
    """Histories by family. `note` takes in what ended, `flush` writes what came of it."""

    def __init__(self, known: Iterable[RunHistory] = ()) -> None:
        self._known = {each.family: each for each in known}
        #: by family: what a cycle plans with
        self.durations: dict[str, RunLength] = {name: _length_of(each) for name, each in self._known.items()}
        self._lengths: dict[str, list[float]] = {}

    @property
    def histories(self) -> Mapping[str, RunHistory]:
        """What is known now."""
        return self._known

    def note(self, attempt: Attempt, spec: JobSpec) -> None:
        """An attempt has ended."""
        seconds, name = run_seconds(attempt), family(spec)
        if seconds is not None and name:
            self._lengths.setdefault(name, []).append(seconds)
            if spec.attempt_seconds:
                self._lengths.setdefault(parts_family(spec.scope), []).append(seconds / spec.attempt_seconds)

    def flush(self, tx: Transaction, now: datetime) -> None:
        """Learn from what ended since the last time, and write it."""
        if not self._lengths:
            return
        known = self._known
        for name, lengths in self._lengths.items():
            known[name] = known.get(name, RunHistory(family=name, at=now)).learn(lengths, now)
            self.durations[name] = _length_of(known[name])
        tx.save_run_histories(known[name] for name in self._lengths)
        self._lengths.clear()
        if len(known) > MOST_FAMILIES:
            tx.forget_run_histories(self._forget_oldest())

    def _forget_oldest(self) -> Sequence[str]:
        """A tenth more than must go, so that this is seldom."""
        oldest = sorted(self._known, key=lambda name: self._known[name].at)
        gone = oldest[: len(oldest) - MOST_FAMILIES * 9 // 10]
        for name in gone:
            del self._known[name], self.durations[name]
        return gone


def _length_of(history: RunHistory) -> RunLength:
    lengths = RunLengths(history)
    return RunLength(median=lengths.quantile(0.5), p90=lengths.quantile(0.9), bound=lengths.quantile(0.95))
