"""The backlog beside a plain set of jobs."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from longshore.domain.ids import JobKey
from longshore.scheduling.backlog import Backlog
from longshore.scheduling.classes import JobClass
from longshore.scheduling.snapshot import Run
from longshore.testing.builders import A_SMALL_SHARE, HERE

CLASSES = [JobClass(scope=HERE, queue_name=name, resources=A_SMALL_SHARE) for name in ("a", "b")]
#: Submissions of seven jobs: intake numbers go on from one to the next, keys leave the array's parent out.
SIZE = 7


def key_of(intake: int) -> JobKey:
    return JobKey(1000 + intake + intake // SIZE)


@st.composite
def ranges_of_one_submission(draw: st.DrawFn) -> range:
    first = draw(st.integers(0, 5 * SIZE - 1))
    return range(first, draw(st.integers(first + 1, (first // SIZE + 1) * SIZE)))


class BacklogMachine(RuleBasedStateMachine):
    """Adds and removes ranges, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog()
        self.model: dict[JobClass, set[int]] = {job_class: set() for job_class in CLASSES}

    @rule(job_class=st.sampled_from(CLASSES), intakes=ranges_of_one_submission())
    def add(self, job_class: JobClass, intakes: range) -> None:
        self.backlog.add(job_class, intake=intakes.start, key=key_of(intakes.start), count=len(intakes))
        self.model[job_class].update(intakes)

    @rule(job_class=st.sampled_from(CLASSES), first=st.integers(0, 5 * SIZE), count=st.integers(1, 3 * SIZE))
    def remove(self, job_class: JobClass, first: int, count: int) -> None:
        self.backlog.remove(job_class, intake=first, count=count)
        self.model[job_class].difference_update(range(first, first + count))

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        found = {waiting.job_class: waiting.runs for waiting in self.backlog.waiting()}
        assert set(found) == {job_class for job_class, intakes in self.model.items() if intakes}
        for job_class, runs in found.items():
            jobs = [(run.intake + offset, run.key + offset) for run in runs for offset in range(run.count)]
            assert jobs == [(intake, key_of(intake)) for intake in sorted(self.model[job_class])]
        assert len(self.backlog) == sum(map(len, self.model.values()))

    @invariant()
    def runs_are_joined(self) -> None:
        for waiting in self.backlog.waiting():
            assert all(run.count > 0 for run in waiting.runs)
            for before, after in zip(waiting.runs, waiting.runs[1:], strict=False):
                goes_on = before.intake + before.count == after.intake and before.key + before.count == after.key
                assert not goes_on


TestBacklog = BacklogMachine.TestCase
TestBacklog.settings = settings(max_examples=100, stateful_step_count=20)


def test_array_is_one_run_however_it_came() -> None:
    """Ten thousand children cost one run, and one that comes back for its retry closes the gap again."""
    backlog = Backlog()
    (job_class, _) = CLASSES
    backlog.add(job_class, intake=1, key=JobKey(11), count=10_000)
    backlog.remove(job_class, intake=5_000)
    (waiting,) = backlog.waiting()
    assert waiting.runs == [
        Run(intake=1, key=JobKey(11), count=4_999),
        Run(intake=5_001, key=JobKey(5_011), count=5_000),
    ]
    backlog.add(job_class, intake=5_000, key=JobKey(5_010))
    assert backlog.waiting()[0].runs == [Run(intake=1, key=JobKey(11), count=10_000)]
    assert len(backlog) == 10_000


def test_removing_what_is_not_there() -> None:
    """Changes nothing."""
    backlog = Backlog()
    backlog.remove(CLASSES[0], intake=1)
    backlog.add(CLASSES[0], intake=5, key=JobKey(5))
    backlog.remove(CLASSES[0], intake=1, count=4)
    backlog.remove(CLASSES[1], intake=5)
    assert len(backlog) == 1
