"""What becomes of one job, as dialogues: `>>` an event, `<<` what came of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.domain.errors import InvalidTransition
from longshore.domain.job import Intent, StopCause, Wish, WishKind
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.powers import JobPowers
from longshore.domain.resources import Resources
from longshore.domain.retry import EvaluateOnExit, OnOom, RetryStrategy
from longshore.testing.builders import AT, LOCAL, a_job, a_job_spec, a_retry
from longshore.testing.lifecycles import jobs_by_status
from tests.unit.domain.lifecycle.playbook import (
    NOTHING,
    Happening,
    Playbook,
    cancelled,
    confirmed,
    dependencies_succeeded,
    dependency_failed,
    exited,
    failed_to_start,
    host_lost,
    placed,
    preempted,
    started,
    taken_in,
    terminated,
    timed_out,
)

SUBMITTED, PENDING, RUNNABLE, SCHEDULED, STARTING, RUNNING, SUCCEEDED, FAILED = JobStatus
NONE, _, LAUNCH, STOP, RELEASE = Intent

#: Retry only what the loss of the host ended. Source: AWS Batch user guide, automated job retries.
SPOT_RULES = (
    EvaluateOnExit(action="RETRY", on_status_reason="Host EC2*"),
    EvaluateOnExit(action="exit", on_reason="*"),
)


def running(retry: RetryStrategy | None = None) -> Playbook:
    """A job in its first attempt."""
    return Playbook(retry) >> taken_in() >> placed() >> confirmed() >> started() << RUNNING


def run_again(play: Playbook) -> Playbook:
    return play >> placed() << STARTING << LAUNCH >> started() << RUNNING << NONE


class TestOneAttempt:
    def test_success(self) -> None:
        """The plain way, with every time and text that clients read."""
        play = Playbook() << SUBMITTED >> taken_in() << RUNNABLE << ""
        play >> placed() << STARTING << LAUNCH >> confirmed("at work") << STARTING << NONE
        play >> started() << RUNNING << NONE >> exited(0) << SUCCEEDED << RELEASE << reasons.CONTAINER_EXITED
        job, attempt = play.job, play.attempts[1]
        assert (job.intake, job.attempts_made, job.lost_hosts, job.attempt, job.exit_code) == (1, 1, 0, None, 0)
        assert (job.started_at, job.stopped_at) == (AT + timedelta(seconds=4), AT + timedelta(seconds=5))
        assert (attempt.opened_at, attempt.started_at) == (AT + timedelta(seconds=2), job.started_at)
        assert (attempt.stopped_at, attempt.exit_code, attempt.handle) == (job.stopped_at, 0, "at work")
        assert (attempt.cpu_seconds, attempt.peak_memory_bytes) == (0.5, 4096)
        assert (attempt.started_boot_id, attempt.started_boot_seconds) == ("boot", 1000.0)

    def test_failure_without_retries(self) -> None:
        """A job has one attempt unless it asks for more."""
        play = running() >> exited(3) << FAILED << RELEASE << reasons.CONTAINER_EXITED
        assert (play.job.exit_code, play.job.reason, play.attempts[1].exit_code) == (3, "", 3)

    def test_container_that_never_ran(self) -> None:
        """It has no exit code and no start, and its reason is cut to what AWS shows."""
        play = Playbook() >> taken_in() >> placed() >> failed_to_start("x" * 300) << FAILED << RELEASE
        play << reasons.FAILED_TO_START
        assert (play.job.exit_code, play.job.reason, play.job.started_at) == (None, "x" * 255, None)
        assert (play.attempts[1].started_at, play.attempts[1].stopped_at) == (None, play.now)

    def test_start_that_was_never_seen(self) -> None:
        """A container can end before anybody saw it run; its own times hold."""
        play = Playbook() >> taken_in() >> placed() >> exited(0, started_at=AT) << SUCCEEDED << RELEASE
        assert (play.job.started_at, play.attempts[1].started_at) == (AT, AT)

    def test_seen_start_stands(self) -> None:
        """The start does not change with the news of the end."""
        play = running() >> exited(0, started_at=AT - timedelta(hours=1)) << SUCCEEDED
        assert play.attempts[1].started_at == AT + timedelta(seconds=4)

    def test_dependencies_come_first(self) -> None:
        """A job whose dependencies are open waits for them."""
        Playbook() >> taken_in(must_wait=True) << PENDING >> dependencies_succeeded() << RUNNABLE

    def test_failed_dependency(self) -> None:
        """A dependent fails with the documented text and without an attempt."""
        play = Playbook() >> taken_in(must_wait=True) >> dependency_failed() << FAILED << reasons.DEPENDENCY_FAILED
        assert (play.job.attempts_made, play.job.started_at, play.job.stopped_at) == (0, None, play.now)


class TestRetries:
    def test_until_success(self) -> None:
        """Each failed attempt is closed and released, and the job is RUNNABLE again at its old place."""
        play = running(a_retry(3)) >> exited(1) << RUNNABLE << RELEASE << reasons.CONTAINER_EXITED
        assert (play.job.intake, play.job.started_at, play.job.stopped_at, play.job.attempt) == (1, None, None, None)
        run_again(play) << "" >> exited(2) << RUNNABLE << RELEASE
        run_again(play) >> exited(0) << SUCCEEDED << RELEASE
        assert [attempt.exit_code for attempt in play.attempts.values()] == [1, 2, 0]
        assert len({attempt.attempt_id for attempt in play.attempts.values()}) == 3
        assert play.job.started_at == play.attempts[3].started_at

    def test_are_exhausted(self) -> None:
        """`attempts` counts the first one too."""
        play = running(a_retry(2)) >> exited(1) << RUNNABLE
        run_again(play) >> exited(1) << FAILED << RELEASE
        assert play.job.attempts_made == 2

    def test_outcome_of_the_last_attempt_is_gone_when_the_next_begins(self) -> None:
        """A job in its second attempt does not show how the first ended."""
        play = running(a_retry(2)) >> exited(1, reasons.OUT_OF_MEMORY) << RUNNABLE
        assert (play.job.exit_code, play.job.reason) == (1, reasons.OUT_OF_MEMORY)
        play >> placed()
        assert (play.job.exit_code, play.job.reason) == (None, "")

    @pytest.mark.parametrize(
        ("ending", "status"),
        [
            (host_lost(), RUNNABLE),
            (exited(1), FAILED),
            (exited(137, reasons.OUT_OF_MEMORY), FAILED),
            (failed_to_start(), FAILED),
            (exited(0), SUCCEEDED),
        ],
        ids=["host lost", "exit 1", "out of memory", "failed to start", "exit 0"],
    )
    def test_spot_idiom(self, ending: Happening, status: JobStatus) -> None:
        """The documented pair of rules retries lost hosts and nothing else."""
        running(a_retry(3, *SPOT_RULES)) >> ending << status << RELEASE

    def test_no_rule_matches(self) -> None:
        """Then the failure is retried."""
        only = EvaluateOnExit(action="EXIT", on_exit_code="42")
        running(a_retry(2, only)) >> exited(1) << RUNNABLE
        running(a_retry(2, only)) >> exited(42) << FAILED

    def test_rule_that_retries_does_not_add_attempts(self) -> None:
        """Attempts that are used up are used up."""
        running(a_retry(1, EvaluateOnExit(action="RETRY"))) >> exited(1) << FAILED

    def test_failed_start_counts(self) -> None:
        """An attempt is one whether its container ran or not."""
        play = Playbook(a_retry(2)) >> taken_in() >> placed() >> failed_to_start() << RUNNABLE << RELEASE
        play >> placed() >> failed_to_start() << FAILED
        assert play.job.attempts_made == 2


class TestLostHosts:
    TEXT = reasons.host_lost(LOCAL)

    def test_are_free_up_to_a_budget(self) -> None:
        """They do not use up the job's own attempts until their own number is used up."""
        play = running() >> host_lost(free_losses=2) << RUNNABLE << RELEASE << self.TEXT
        run_again(play) >> host_lost(free_losses=2) << RUNNABLE
        run_again(play) >> host_lost(free_losses=2) << FAILED << RELEASE << self.TEXT
        assert (play.job.attempts_made, play.job.lost_hosts) == (3, 2)

    def test_leave_the_attempts_of_the_job_alone(self) -> None:
        """After a free loss the job has as many attempts as it asked for."""
        play = running(a_retry(2)) >> host_lost(free_losses=1) << RUNNABLE
        run_again(play) >> exited(1) << RUNNABLE
        run_again(play) >> exited(1) << FAILED
        assert play.job.attempts_made == 3

    def test_are_charged_behind_the_budget(self) -> None:
        """Then they count as any failure."""
        play = running(a_retry(2)) >> host_lost(free_losses=0) << RUNNABLE
        run_again(play) >> host_lost(free_losses=0) << FAILED
        assert play.job.lost_hosts == 0

    @pytest.mark.parametrize(("own", "status"), [(0, FAILED), (1, RUNNABLE)])
    def test_a_job_may_have_a_budget_of_its_own(self, own: int, status: JobStatus) -> None:
        """It counts in place of the server's, whichever is larger."""
        spec = replace(a_job_spec(), powers=JobPowers(host_retries=own))
        play = Playbook(job=a_job(spec)) >> taken_in() >> placed() >> host_lost(free_losses=1 - own)
        play << status
        assert play.job.lost_hosts == own

    def test_rule_that_exits_wins_over_the_budget(self) -> None:
        """Who asks not to be retried is not."""
        rule = EvaluateOnExit(action="EXIT", on_status_reason="Host EC2*")
        running(a_retry(3, rule)) >> host_lost(free_losses=5) << FAILED << self.TEXT

    def test_have_no_exit_code(self) -> None:
        """What can't be learned is not invented."""
        play = running() >> host_lost() << FAILED
        assert (play.attempts[1].exit_code, play.attempts[1].reason, play.job.exit_code) == (None, "", None)
        assert self.TEXT.startswith("Host EC2 (instance i-")
        assert self.TEXT.endswith(") terminated.")

    def test_while_starting(self) -> None:
        """A host can be lost before the container was seen to run."""
        play = Playbook() >> taken_in() >> placed() >> host_lost(free_losses=1) << RUNNABLE << RELEASE
        assert play.attempts[1].started_at is None


class TestMoreMemory:
    DOUBLED = OnOom(factor_milli=2000)

    def killed(self, on_oom: OnOom | None, retry: RetryStrategy, host_mib: int | None = 10_000) -> Playbook:
        """A job that asks for 100 MiB, after its first attempt was killed for lack of memory."""
        spec = replace(a_job_spec(retry=retry), powers=JobPowers(on_oom=on_oom), resources=Resources(memory_mib=100))
        play = Playbook(job=a_job(spec)) >> taken_in()
        return run_again(play) >> exited(137, reasons.OUT_OF_MEMORY, host_memory_mib=host_mib)

    @pytest.mark.parametrize(
        ("on_oom", "host_mib", "memory_mib"),
        [
            (DOUBLED, 10_000, 200),
            (OnOom(factor_milli=1500), 10_000, 150),
            (OnOom(plus_mib=1024), 10_000, 1124),
            (OnOom(factor_milli=2000, most_mib=180), 10_000, 180),
            (DOUBLED, 170, 170),
            (DOUBLED, 100, None),
            (DOUBLED, 0, None),
            (OnOom(factor_milli=2000, most_mib=100), 10_000, None),
            (DOUBLED, None, None),
            (None, None, None),
        ],
    )
    def test_is_asked_after_a_kill_for_lack_of_it(
        self, on_oom: OnOom | None, host_mib: int | None, memory_mib: int | None
    ) -> None:
        """Up to its own ceiling, and to what a host has."""
        play = self.killed(on_oom, a_retry(2), host_mib) << RUNNABLE << RELEASE
        assert play.job.memory_mib == memory_mib
        assert play.job.resources.memory_mib == (memory_mib or 100)
        told = reasons.CONTAINER_EXITED if memory_mib is None else reasons.more_memory(memory_mib)
        play << told

    def test_is_asked_again_and_again(self) -> None:
        """Each time from what the last attempt had; any other end leaves it as it is."""
        play = self.killed(self.DOUBLED, a_retry(4))
        run_again(play) >> exited(1) << RUNNABLE
        assert play.job.memory_mib == 200
        run_again(play) >> exited(137, reasons.OUT_OF_MEMORY, host_memory_mib=10_000) << RUNNABLE
        assert play.job.memory_mib == 400
        run_again(play) >> exited(137, reasons.OUT_OF_MEMORY, host_memory_mib=10_000) << FAILED
        assert (play.job.memory_mib, play.job.attempts_made) == (400, 4)

    def test_is_not_asked_without_attempts(self) -> None:
        play = self.killed(self.DOUBLED, a_retry(1)) << FAILED << reasons.CONTAINER_EXITED
        assert play.job.memory_mib is None

    def test_rule_that_exits_wins(self) -> None:
        """Who asks not to be retried is not."""
        play = self.killed(self.DOUBLED, a_retry(3, EvaluateOnExit(action="EXIT", on_reason="OutOfMemory*"))) << FAILED
        assert play.job.memory_mib is None

    def test_stays_through_a_lost_host_and_a_preemption(self) -> None:
        """They spend nothing, and change nothing."""
        play = self.killed(self.DOUBLED, a_retry(2))
        run_again(play) >> host_lost(free_losses=1) << RUNNABLE
        run_again(play) >> preempted() >> exited(137) << RUNNABLE
        assert play.job.memory_mib == 200


class TestPreemption:
    def test_attempt_is_stopped_and_the_job_waits_again(self) -> None:
        """It is not charged: as many attempts are left as before, however it ended."""
        play = running(a_retry(1)) >> preempted() << RUNNING << STOP >> preempted() << NOTHING
        play >> exited(143) << RUNNABLE << RELEASE << reasons.PREEMPTED
        run_again(play) >> preempted() >> exited(0) << RUNNABLE
        run_again(play) >> exited(1) << FAILED
        assert (play.job.attempts_made, play.job.preemptions) == (3, 2)
        assert play.attempts[1].stop_cause is StopCause.PREEMPTED
        assert play.attempts[1].status_reason == reasons.PREEMPTED

    @pytest.mark.parametrize("ending", [host_lost(free_losses=5), failed_to_start()])
    def test_counts_once_however_the_attempt_ends(self, ending: Happening) -> None:
        """A host that is lost while an attempt is preempted is not counted as well."""
        play = Playbook() >> taken_in() >> placed() >> preempted() << STARTING << STOP >> ending << RUNNABLE
        assert (play.job.preemptions, play.job.lost_hosts) == (1, 0)

    @pytest.mark.parametrize("retries", [0, 1, 2])
    def test_ends_the_job_when_its_retries_are_spent(self, retries: int) -> None:
        """Source: AWS Batch API, preemptionRetriesBeforeTermination."""
        job = a_job(replace(a_job_spec(retry=a_retry(9)), preemption_retries=retries))
        play = Playbook(job=job) >> taken_in()
        for _ in range(retries):
            run_again(play) >> preempted() >> exited(143) << RUNNABLE
        run_again(play) >> preempted() >> exited(143) << FAILED << reasons.PREEMPTED_TOO_OFTEN

    def test_who_terminates_wins(self) -> None:
        """Before and after."""
        play = running() >> preempted() >> terminated("enough") << RUNNING << STOP >> exited(143) << FAILED << "enough"
        assert (play.job.preemptions, play.attempts[1].stop_cause) == (0, StopCause.TERMINATED)
        running() >> terminated("enough") >> preempted() << NOTHING >> exited(143) << FAILED << "enough"

    def test_news_of_an_attempt_that_is_over(self) -> None:
        """The job waits or runs again: it is not preempted for what it held before."""
        play = running(a_retry(2)) >> exited(1) << RUNNABLE >> preempted(of=1) << NOTHING
        run_again(play) >> preempted(of=1) << NOTHING << RUNNING


class TestTimeouts:
    def test_attempt_is_stopped_and_not_retried(self) -> None:
        """Whatever attempts are left."""
        play = running(a_retry(3)) >> timed_out() << RUNNING << STOP
        assert play.attempts[1].stop_cause is StopCause.TIMED_OUT
        play >> exited(137) << FAILED << RELEASE << reasons.TIMED_OUT
        assert play.attempts[1].status_reason == reasons.TIMED_OUT
        assert (play.job.exit_code, play.job.wish) == (137, None)

    @pytest.mark.parametrize("ending", [exited(0), exited(143), host_lost(free_losses=5), failed_to_start()])
    def test_however_it_ends_then(self, ending: Happening) -> None:
        """A job that ran out of time has failed, even where its container ended well in the grace time."""
        running(a_retry(3)) >> timed_out() >> ending << FAILED << RELEASE << reasons.TIMED_OUT

    def test_first_cause_stands(self) -> None:
        """A time-out that is being carried out is no termination, and the other way round."""
        play = running() >> timed_out() >> terminated() << NOTHING >> exited(137) << FAILED << reasons.TIMED_OUT
        assert play.job.wish is None
        running() >> terminated("enough") >> timed_out() << NOTHING >> exited(137) << FAILED << "enough"

    def test_once_is_enough(self) -> None:
        """A second one changes nothing."""
        running() >> timed_out() >> timed_out() << NOTHING

    def test_attempt_that_does_not_run_has_no_clock(self) -> None:
        """The time-out counts from RUNNING."""
        play = Playbook() >> taken_in() >> placed() << STARTING
        with pytest.raises(InvalidTransition):
            play >> timed_out()


class TestTermination:
    @pytest.mark.parametrize("status", [SUBMITTED, PENDING, RUNNABLE])
    def test_of_a_job_that_waits(self, status: JobStatus) -> None:
        """It fails at once with the caller's reason."""
        for job in jobs_by_status()[status]:
            play = Playbook(job=job) >> terminated("enough") << FAILED << "enough"
            assert play.job.wish == Wish(kind=WishKind.TERMINATE, reason="enough")
            assert (play.job.stopped_at, play.job.started_at) == (play.now, None)

    def test_before_the_launch_was_answered(self) -> None:
        """The intent to launch gives way to the intent to stop, and late good news does not bring it back."""
        play = Playbook(a_retry(3)) >> taken_in() >> placed() >> terminated("enough") << STARTING << STOP
        play >> confirmed("at work") << STARTING << STOP >> started() << RUNNING << STOP
        play >> exited(0) << FAILED << RELEASE << "enough"
        assert (play.attempts[1].handle, play.attempts[1].status_reason) == ("at work", "enough")

    @pytest.mark.parametrize("ending", [exited(0), exited(143), host_lost(free_losses=5), failed_to_start()])
    def test_however_the_attempt_ends(self, ending: Happening) -> None:
        """A terminated job has failed with the caller's reason and is not retried."""
        play = running(a_retry(3)) >> terminated("enough") << RUNNING << STOP >> ending << FAILED << RELEASE << "enough"
        assert play.job.wish == Wish(kind=WishKind.TERMINATE, reason="enough")
        starting = Playbook(a_retry(3)) >> taken_in() >> placed() >> terminated("enough") << STARTING << STOP
        starting >> ending << FAILED << RELEASE << "enough"

    def test_twice(self) -> None:
        """The first reason stands."""
        running() >> terminated("first") >> terminated("second") << NOTHING >> exited(143) << FAILED << "first"

    def test_wins_over_a_noted_cancellation(self) -> None:
        """A job whose cancellation waits for its dependencies can be ended at once."""
        play = Playbook() >> taken_in(must_wait=True) >> cancelled() >> terminated("now") << FAILED << "now"
        assert play.job.wish == Wish(kind=WishKind.TERMINATE, reason="now")


class TestCancellation:
    @pytest.mark.parametrize("status", [SUBMITTED, RUNNABLE])
    def test_of_a_job_that_waits_for_room(self, status: JobStatus) -> None:
        """It fails at once with the caller's reason, also between two attempts."""
        for job in jobs_by_status()[status]:
            play = Playbook(job=job) >> cancelled("not needed") << FAILED << "not needed"
            assert play.job.wish == Wish(kind=WishKind.CANCEL, reason="not needed")
            assert play.job.stopped_at == play.now

    @pytest.mark.parametrize("ending", [dependencies_succeeded(), dependency_failed()])
    def test_of_a_job_with_open_dependencies(self, ending: Happening) -> None:
        """It is noted, and carried out when they have ended, however they ended."""
        play = Playbook() >> taken_in(must_wait=True) >> cancelled("not needed") << PENDING
        assert play.job.wish == Wish(kind=WishKind.CANCEL, reason="not needed")
        play >> cancelled("second") << NOTHING >> ending << FAILED << "not needed"
        assert play.job.attempts_made == 0

    @pytest.mark.parametrize("status", [STARTING, RUNNING, SUCCEEDED, FAILED])
    def test_comes_too_late(self, status: JobStatus) -> None:
        """A job that was placed goes on, and one that has ended does not change."""
        for job in jobs_by_status()[status]:
            Playbook(job=job) >> cancelled() << NOTHING << status

    @pytest.mark.parametrize("status", [SUCCEEDED, FAILED])
    def test_final_jobs_take_no_termination_either(self, status: JobStatus) -> None:
        """Clients terminate finished jobs before they clean up; nothing about those may change."""
        for job in jobs_by_status()[status]:
            Playbook(job=job) >> terminated() << NOTHING << status


class TestLateAndRepeatedNews:
    ALL = (confirmed, started, lambda of: exited(1, of=of), failed_to_start, host_lost, timed_out)

    @pytest.mark.parametrize("news", ALL)
    def test_of_an_attempt_that_is_over(self, news: object) -> None:
        """It changes nothing: neither between two attempts, nor in the next one, nor at the end."""
        assert callable(news)
        play = running(a_retry(2)) >> exited(1) << RUNNABLE >> news(of=1) << NOTHING
        play >> placed() << STARTING >> news(of=1) << NOTHING >> started() << RUNNING >> news(of=1) << NOTHING
        play >> exited(0) << SUCCEEDED >> news(of=1) << NOTHING >> news(of=2) << NOTHING

    def test_of_what_is_known(self) -> None:
        """An engine may repeat itself."""
        play = Playbook() >> taken_in() >> placed() >> confirmed("h") << NONE >> confirmed("h") << NOTHING
        play >> started() << RUNNING >> started() << NOTHING >> confirmed("h") << NOTHING
        play >> dependencies_succeeded() << NOTHING

    def test_handle_may_change(self) -> None:
        """A driver that wants another handle stored gets it, whether or not the launch was confirmed before."""
        play = running() >> confirmed("moved") << RUNNING << NONE
        assert play.attempts[1].handle == "moved"
        play >> timed_out() << STOP >> confirmed("moved again") << STOP

    def test_of_attempts_before_there_was_one(self) -> None:
        """News of an attempt that a job can't have had is a bug of ours."""
        for news in self.ALL:
            with pytest.raises(InvalidTransition):
                Playbook() >> news(of=1)
            with pytest.raises(InvalidTransition):
                Playbook() >> taken_in(must_wait=True) >> news(of=1)

    def test_second_placement(self) -> None:
        """A job is placed once at a time."""
        with pytest.raises(InvalidTransition, match="PlacementCommitted must not happen to a RUNNING job"):
            running() >> placed()

    def test_second_intake(self) -> None:
        """A place in the order of submission is given once."""
        with pytest.raises(InvalidTransition, match="TakenIn must not happen to a RUNNABLE job"):
            Playbook() >> taken_in() >> taken_in()


def test_array_child_lives_like_any_job() -> None:
    """Children have the rules of jobs, not of parents."""
    child = a_job(a_job_spec(array_size=2), index=1)
    play = Playbook(job=child) >> taken_in() << RUNNABLE >> placed() >> started() >> exited(0) << SUCCEEDED
    assert play.job.id.index == 1
