"""Attempts with several containers or nodes: what is launched and stopped when, and what comes of the whole."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from longshore.domain.definition import Form
from longshore.domain.ids import AttemptId, part_id
from longshore.domain.job import Attempt, Intent, Part
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.events import (
    DependencyTimeoutPassed,
    Event,
    HostLost,
    PartNews,
    TakenIn,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
    TerminateRequested,
)
from longshore.domain.lifecycle.machine import advance
from longshore.domain.lifecycle.parts import Conclusion, conclude
from longshore.domain.workload import workload_of
from longshore.testing.builders import AT, a_job
from longshore.testing.forms import a_pod, a_pod_container, a_task, a_task_container, formed_spec, some_nodes
from longshore.testing.lifecycles import FIRST, a_placement

WAIT, LAUNCH, NONE, STOP, RELEASE = Intent.WAIT, Intent.LAUNCH, Intent.NONE, Intent.STOP, Intent.RELEASE


class Stage:
    """One job whose first attempt was just opened, and what happens to its parts, each a second after the other."""

    def __init__(self, form: Form) -> None:
        self.job = a_job(formed_spec(form))
        self.now = AT
        #: what came of the attempt as a whole, oldest first
        self.conclusions: list[Conclusion] = []
        self._let(TakenIn(intake=1, must_wait=False))
        self._let(a_placement(self.job.spec, FIRST))

    def _let(self, event: Event) -> None:
        self.now += timedelta(seconds=1)
        step = advance(self.job, event, now=self.now)
        if step is not None:
            self.job, self.attempt = step.job, step.attempt or self.attempt
        if self.job.attempt is not None:
            conclusion = conclude(workload_of(self.job.spec), self.job.attempt, free_losses=0)
            if conclusion is not None:
                self.conclusions.append(conclusion)
                self._let(conclusion)

    attempt: Attempt | None = None

    def starts(self, container: str, node: int = 0) -> "Stage":
        boot_seconds = self.now.timestamp()
        self._tell(
            TaskStarted(attempt_id=_id(container, node), started_at=self.now, boot_id="b", boot_seconds=boot_seconds)
        )
        return self

    def exits(self, container: str, code: int, node: int = 0, reason: str = "") -> "Stage":
        self._tell(TaskExited(attempt_id=_id(container, node), exit_code=code, reason=reason, stopped_at=self.now))
        return self

    def fails(self, container: str, node: int = 0) -> "Stage":
        self._tell(TaskFailedToStart(attempt_id=_id(container, node), reason="CannotPullContainerError: no"))
        return self

    def is_lost(self, container: str, node: int = 0) -> "Stage":
        self._tell(HostLost(attempt_id=_id(container, node), free_losses=0))
        return self

    def keeps_waiting(self, container: str) -> "Stage":
        self._tell(DependencyTimeoutPassed(attempt_id=_id(container, 0)))
        return self

    def is_terminated(self) -> "Stage":
        self._let(TerminateRequested(reason="by me"))
        return self

    def _tell(self, news: TaskStarted | TaskExited | TaskFailedToStart | HostLost | DependencyTimeoutPassed) -> None:
        self._let(PartNews(attempt_id=FIRST, news=news))

    def part(self, container: str, node: int = 0) -> Part:
        """The part as it is now."""
        assert self.attempt is not None
        return next(p for p in self.attempt.parts if (p.container, p.node) == (container, node))

    @property
    def intents(self) -> Mapping[str, Intent]:
        """Of parts that have not ended, by container, or by node where there are several."""
        assert self.attempt is not None
        many = self.job.spec.node_properties is not None
        return {str(p.node) if many else p.container: p.intent for p in self.attempt.parts if not p.has_ended}


def _id(container: str, node: int) -> AttemptId:
    return part_id(FIRST, node, container)


def a_chain(condition: str, **settings: object) -> Stage:
    """`main` waits for `before`."""
    before = a_task_container("before", essential=condition == "START", **settings)
    return Stage(a_task(before, a_task_container("main", depends_on={"before": condition})))


# --- order -----------------------------------------------------------------------------------------------------------


def test_parts_without_dependencies_are_launched_together() -> None:
    """One each, under an id of its own."""
    stage = Stage(a_task(a_task_container("a"), a_task_container("b")))
    assert stage.intents == {"a": LAUNCH, "b": LAUNCH}
    assert len({FIRST, stage.part("a").attempt_id, stage.part("b").attempt_id}) == 3


def test_start_is_waited_for() -> None:
    """START holds a container up until the other runs."""
    stage = a_chain("START")
    assert stage.intents == {"before": LAUNCH, "main": WAIT}
    assert stage.starts("before").intents == {"before": NONE, "main": LAUNCH}


@pytest.mark.parametrize("code", [0, 1])
def test_complete_is_waited_for(code: int) -> None:
    """COMPLETE holds a container up until the other has ended, however."""
    stage = a_chain("COMPLETE").starts("before")
    assert stage.intents["main"] is WAIT
    assert stage.exits("before", code).intents == {"main": LAUNCH}


def test_success_is_waited_for() -> None:
    """SUCCESS holds a container up until the other has ended with 0."""
    assert a_chain("SUCCESS").starts("before").exits("before", 0).intents == {"main": LAUNCH}


def test_success_that_failed_ends_the_attempt() -> None:
    """What can never be launched fails the attempt, with a reason that names both."""
    stage = a_chain("SUCCESS").starts("before").exits("before", 3)
    (failed,) = stage.conclusions
    assert failed == TaskFailedToStart(
        attempt_id=FIRST,
        reason="container main was not started: container before did not reach SUCCESS, it exited with code 3",
    )
    assert (stage.part("before").intent, stage.part("main").intent) == (RELEASE, WAIT)
    assert stage.job.status_reason == reasons.FAILED_TO_START


def test_dependency_that_takes_too_long_ends_the_attempt() -> None:
    """After the startTimeout of a container those that still wait for its end give up, and it is stopped."""
    stage = a_chain("SUCCESS", start_timeout=5).starts("before").keeps_waiting("before")
    assert stage.intents == {"before": STOP}
    (failed,) = stage.exits("before", 143).conclusions
    assert failed == TaskFailedToStart(
        attempt_id=FIRST,
        reason="container main was not started: container before did not reach SUCCESS within its startTimeout of 5 s",
    )


def test_start_timeout_means_nothing_to_who_does_not_wait() -> None:
    """Others run already, or wait for the start alone."""
    stage = a_chain("START", start_timeout=5).starts("before")
    before = stage.job
    assert stage.keeps_waiting("before").job is before


def test_starting_lasts_until_dependencies_are_resolved() -> None:
    """The attempt has started when its last container has, and its time-out counts from then."""
    stage = a_chain("COMPLETE").starts("before").exits("before", 0)
    assert stage.conclusions == []
    stage.starts("main")
    (started,) = stage.conclusions
    assert isinstance(started, TaskStarted)
    assert started.started_at == stage.part("main").started_at


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1])
def test_end_of_an_essential_container_stops_all(code: int) -> None:
    """However it ends; the attempt ends with the last, as the essential ones did."""
    stage = Stage(a_task(a_task_container("main"), a_task_container("side", essential=False)))
    stage.starts("main").starts("side").exits("main", code)
    assert stage.intents == {"side": STOP}
    stage.exits("side", 143)
    assert isinstance(stage.conclusions[-1], TaskExited)
    assert stage.conclusions[-1].exit_code == code
    assert stage.part("main").intent is stage.part("side").intent is RELEASE


@pytest.mark.parametrize("code", [0, 1])
def test_end_of_an_essential_container_before_all_have_started(code: int) -> None:
    """A job that succeeded has a start, though the attempt never got beyond STARTING; one that failed has none."""
    waits = a_task_container("waits", essential=False, depends_on={"slow": "SUCCESS"})
    stage = Stage(a_task(a_task_container("main"), a_task_container("slow", essential=False), waits))
    stage.starts("slow").starts("main").exits("main", code).exits("slow", 143)
    assert stage.job.status == ("FAILED" if code else "SUCCEEDED")
    assert stage.part("waits").status_reason == reasons.NOT_STARTED
    assert stage.job.started_at == (None if code else stage.part("main").started_at)


def test_others_may_end_as_they_like() -> None:
    """A container that is not essential fails without consequence."""
    stage = Stage(a_task(a_task_container("main"), a_task_container("side", essential=False)))
    stage.starts("main").starts("side").exits("side", 1)
    assert stage.intents == {"main": NONE}
    stage.exits("main", 0)
    assert isinstance(stage.conclusions[-1], TaskExited)
    assert stage.conclusions[-1].exit_code == 0


def test_first_failure_gives_the_outcome() -> None:
    """What was stopped because of it says nothing, and its own reason is that of the attempt."""
    stage = Stage(a_task(a_task_container("a"), a_task_container("b")))
    stage.starts("a").starts("b").exits("b", 137, reason=reasons.OUT_OF_MEMORY).exits("a", 143)
    outcome = stage.conclusions[-1]
    assert isinstance(outcome, TaskExited)
    assert (outcome.exit_code, outcome.reason) == (137, reasons.OUT_OF_MEMORY)


def test_essential_container_that_was_stopped_has_failed() -> None:
    """All essential ones must exit with 0. Source: Amazon ECS, essential containers."""
    stage = Stage(a_task(a_task_container("a"), a_task_container("b")))
    stage.starts("a").starts("b").exits("a", 0).exits("b", 143)
    assert isinstance(stage.conclusions[-1], TaskExited)
    assert stage.conclusions[-1].exit_code == 143


def test_container_that_fails_to_start_fails_the_task() -> None:
    """With its reason."""
    stage = Stage(a_task(a_task_container("a"), a_task_container("b"))).starts("a").fails("b")
    assert stage.intents == {"a": STOP}
    assert stage.exits("a", 143).conclusions == [
        TaskFailedToStart(attempt_id=FIRST, reason="CannotPullContainerError: no")
    ]


def test_lost_container_is_a_lost_host() -> None:
    """Whichever it was; the others are stopped first."""
    stage = Stage(a_task(a_task_container("main"), a_task_container("side", essential=False)))
    stage.starts("main").starts("side").is_lost("side")
    assert stage.intents == {"main": STOP}
    assert stage.exits("main", 143).conclusions[-1] == HostLost(attempt_id=FIRST, free_losses=0)


def test_termination_stops_what_runs_and_drops_what_waits() -> None:
    """The job ends when all have."""
    stage = a_chain("COMPLETE").starts("before").is_terminated()
    assert stage.intents == {"before": STOP}
    assert stage.part("main").intent is WAIT
    assert stage.exits("before", 143).job.status_reason == "by me"


# --- pods ------------------------------------------------------------------------------------------------------------


def test_init_containers_run_one_after_another() -> None:
    """Then all others together."""
    inits = (a_pod_container("i0"), a_pod_container("i1"))
    stage = Stage(a_pod(a_pod_container("a"), a_pod_container("b"), inits=inits))
    assert stage.intents == {"i0": LAUNCH, "i1": WAIT, "a": WAIT, "b": WAIT}
    assert stage.starts("i0").exits("i0", 0).intents == {"i1": LAUNCH, "a": WAIT, "b": WAIT}
    assert stage.starts("i1").exits("i1", 0).intents == {"a": LAUNCH, "b": LAUNCH}


def test_failed_init_container_fails_the_pod() -> None:
    """With its exit code; nothing else is launched."""
    stage = Stage(a_pod(a_pod_container("a"), inits=(a_pod_container("i0"),))).starts("i0").exits("i0", 4)
    assert isinstance(stage.conclusions[-1], TaskExited)
    assert stage.conclusions[-1].exit_code == 4
    assert stage.part("a").intent is WAIT


def test_all_containers_of_a_pod_run_to_their_end() -> None:
    """The failure of one stops no other, and is that of the pod."""
    stage = Stage(a_pod(a_pod_container("a"), a_pod_container("b"))).starts("a").starts("b").exits("a", 2)
    assert stage.intents == {"b": NONE}
    stage.exits("b", 0)
    assert isinstance(stage.conclusions[-1], TaskExited)
    assert stage.conclusions[-1].exit_code == 2


# --- nodes -----------------------------------------------------------------------------------------------------------


def test_main_node_starts_first() -> None:
    """The others wait until it runs; the job runs when it does."""
    stage = Stage(some_nodes(3, main=1))
    assert stage.intents == {"0": WAIT, "1": LAUNCH, "2": WAIT}
    stage.starts("default", 1)
    assert stage.intents == {"0": LAUNCH, "1": NONE, "2": LAUNCH}
    assert isinstance(stage.conclusions[-1], TaskStarted)


@pytest.mark.parametrize("end", ["exit", "loss", "failed start"])
def test_end_of_another_node_means_nothing(end: str) -> None:
    """Well, badly or never started: no other is stopped, and the main node decides."""
    stage = Stage(some_nodes(3)).starts("default", 0).starts("default", 1)
    match end:
        case "exit":
            stage.exits("default", 1, 1)
        case "loss":
            stage.is_lost("default", 1)
        case _:
            stage.fails("default", 1)
    assert stage.intents == {"0": NONE, "2": LAUNCH}
    stage.starts("default", 2).exits("default", 0, 0)
    assert stage.intents == {"2": STOP}
    stage.exits("default", 143, 2)
    assert isinstance(stage.conclusions[-1], TaskExited)
    assert stage.conclusions[-1].exit_code == 0


def test_end_of_the_main_node_before_the_others_begin() -> None:
    """They are never launched, and nothing of them is to be released."""
    stage = Stage(some_nodes(2)).fails("default", 0)
    assert stage.part("default", 1).intent is WAIT
    assert stage.part("default", 1).status_reason == reasons.NOT_STARTED
    assert stage.conclusions == [TaskFailedToStart(attempt_id=FIRST, reason="CannotPullContainerError: no")]


def test_essential_container_of_another_node_ends_that_node_alone() -> None:
    """Each node is a task of its own."""
    task = a_task(a_task_container("main"), a_task_container("side", essential=False))
    stage = Stage(some_nodes(2, task)).starts("main").starts("side").starts("main", 1).starts("side", 1)
    stage.exits("main", 0, 1)
    assert stage.part("side", 1).intent is STOP
    assert stage.part("side", 0).intent is NONE


def test_late_news_changes_nothing() -> None:
    """Of a part that has ended, and of one that waits."""
    stage = Stage(some_nodes(2)).starts("default", 0)
    stage.exits("default", 1, 1).starts("default", 1).exits("default", 0, 1)
    assert stage.part("default", 1).exit_code == 1
    assert Stage(some_nodes(2)).exits("default", 0, 1).part("default", 1).exit_code is None
