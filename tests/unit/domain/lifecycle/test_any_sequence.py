"""Whatever happens to a job, in whatever order, it stays a job that makes sense."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from longshore.domain.errors import InvalidTransition
from longshore.domain.ids import AttemptId
from longshore.domain.job import Attempt, Intent, StopCause, WishKind
from longshore.domain.lifecycle.events import Event, PlacementCommitted, TaskExited
from longshore.domain.lifecycle.machine import ILLEGAL, RULES, advance
from longshore.domain.lifecycle.status import LIVE_STATUSES, JobStatus
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.testing.builders import AT, a_job, a_job_spec, an_attempt_id
from longshore.testing.lifecycles import a_placement, a_start, an_exit, events_for, jobs_by_status, transitions

#: What the page of the lifecycle shows.
DRAWN = transitions(jobs_by_status())
STRATEGIES = st.builds(
    RetryStrategy,
    attempts=st.integers(1, 4),
    evaluate_on_exit=st.sampled_from([(), (EvaluateOnExit(action="EXIT", on_exit_code="1"),)]),
)


class AnySequence(RuleBasedStateMachine):
    """One job; beside it what may never change again."""

    @initialize(retry=STRATEGIES, retries=st.sampled_from([None, 0, 1, 2]))
    def submit(self, retry: RetryStrategy, retries: int | None) -> None:
        self.job = self.submitted = a_job(replace(a_job_spec(retry=retry), preemption_retries=retries))
        self.now = AT
        self.attempts: dict[AttemptId, Attempt] = {}
        self.closed: dict[AttemptId, Attempt] = {}

    def _let(self, event: Event) -> None:
        self.now += timedelta(seconds=1)
        before = self.job
        try:
            step = advance(before, event, now=self.now)
        except InvalidTransition:
            assert RULES[before.status, type(event)] is ILLEGAL
            return
        if step is None:
            return
        assert not before.status.is_final, "nothing leaves a final status"
        assert step.job != before
        assert step.job.status in DRAWN[before.status, type(event)], "the page of the lifecycle shows every transition"
        assert step.job.attempts_made - before.attempts_made == (
            step.job.status is JobStatus.STARTING and before.status is JobStatus.RUNNABLE
        )
        assert before.intake in (None, step.job.intake)
        if step.job.status is JobStatus.SUCCEEDED:
            assert isinstance(event, TaskExited)
            assert event.exit_code == 0
        self.job = step.job
        if step.attempt is not None:
            assert step.attempt.attempt_id not in self.closed, "a closed attempt never changes again"
            self.attempts[step.attempt.attempt_id] = step.attempt
            if step.attempt.has_ended:
                self.closed[step.attempt.attempt_id] = step.attempt

    def _new_attempt_id(self) -> AttemptId:
        return an_attempt_id(self.job.key, self.job.attempts_made + 1)

    @precondition(lambda self: self.job.status is JobStatus.RUNNABLE)
    @rule()
    def is_placed(self) -> None:
        self._let(a_placement(self.job.spec, self._new_attempt_id()))

    @precondition(lambda self: self.job.attempt is not None)
    @rule(exit_code=st.integers(0, 2))
    def runs_and_exits(self, exit_code: int) -> None:
        assert self.job.attempt is not None
        attempt_id = self.job.attempt.attempt_id
        self._let(a_start(attempt_id))
        self._let(an_exit(attempt_id, exit_code))

    @rule(data=st.data())
    def anything_happens(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(events_for(self.job)))
        if isinstance(event, PlacementCommitted):
            event = replace(event, attempt_id=self._new_attempt_id())
        self._let(event)

    @precondition(lambda self: self.closed)
    @rule(data=st.data())
    def old_news_comes(self, data: st.DataObject) -> None:
        """Of attempts that are over; the job does not move."""
        before = self.job
        old = data.draw(st.sampled_from(sorted(self.closed)))
        self._let(data.draw(st.sampled_from([a_start(old), an_exit(old, 0), an_exit(old, 1)])))
        assert self.job is before

    @invariant()
    def identity_stays(self) -> None:
        job, submitted = self.job, self.submitted
        assert (job.key, job.id, job.created_at) == (submitted.key, submitted.id, submitted.created_at)
        assert job.spec is submitted.spec

    @invariant()
    def attempts_add_up(self) -> None:
        job = self.job
        assert job.attempts_made == len(self.attempts)
        assert 0 <= job.lost_hosts <= job.attempts_made
        assert 0 <= job.preemptions == sum(a.stop_cause is StopCause.PREEMPTED for a in self.closed.values())
        assert job.attempts_made - job.lost_hosts - job.preemptions <= job.spec.retry.attempts
        assert sorted(attempt.number for attempt in self.attempts.values()) == list(range(1, job.attempts_made + 1))

    @invariant()
    def a_live_job_holds_one_open_attempt(self) -> None:
        held = self.job.attempt
        assert (held is not None) == (self.job.status in LIVE_STATUSES)
        assert len(self.attempts) - len(self.closed) == (held is not None)
        if held is None:
            return
        assert held == self.attempts[held.attempt_id]
        assert held.intent is not Intent.RELEASE
        assert (held.intent is Intent.STOP) == (held.stop_cause is not None)
        assert (held.started_at is not None) == (self.job.status is JobStatus.RUNNING)
        if held.intent is Intent.LAUNCH:
            assert self.job.status is JobStatus.STARTING
        if held.stop_cause is StopCause.TERMINATED:
            assert self.job.wish is not None
            assert self.job.wish.kind is WishKind.TERMINATE

    @invariant()
    def closed_attempts_have_their_end(self) -> None:
        for attempt in self.closed.values():
            assert attempt.stopped_at is not None
            assert attempt.intent is Intent.RELEASE
            assert attempt.status_reason

    @invariant()
    def ended_jobs_have_their_end(self) -> None:
        job = self.job
        assert (job.stopped_at is not None) == job.status.is_final
        if job.status.is_final:
            assert job.status_reason
            assert job.wish is None or job.status is JobStatus.FAILED
        if job.status is JobStatus.RUNNABLE:
            assert job.wish is None, "a wish of a job that waits for room is carried out at once"
        if job.status is JobStatus.RUNNING:
            assert job.started_at is not None


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=150, stateful_step_count=25)
