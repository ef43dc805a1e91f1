"""One cycle, case by case."""

from dataclasses import replace

from longshore.domain.ids import JobKey, Scope
from longshore.scheduling.classes import JobClass, class_id, class_of
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.snapshot import Run, WaitingClass
from longshore.testing.builders import HERE, a_job_spec
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, limited, some, started, waiting


def test_nothing_waits() -> None:
    """An empty plan."""
    plan = plan_cycle(a_snapshot())
    assert (list(plan.placements), dict(plan.reasons)) == ([], {})


def test_submission_order_holds_between_classes() -> None:
    """Jobs of one queue start as they came, whatever they ask for."""
    snapshot = a_snapshot(waiting(some(1), 1, 4), waiting(some(0.5), 2, 3), waiting(some(2), 5))
    plan = plan_cycle(snapshot)
    assert started(plan) == [1, 2, 3, 4]
    assert [placement.key for placement in plan.placements] == [1001, 1002, 1003, 1004]


def test_runs_are_walked_job_by_job() -> None:
    """A run of an array gives its keys and intake numbers in step."""
    job_class = waiting(some(1), 1).job_class
    runs = [Run(intake=10, key=JobKey(50), count=2), Run(intake=20, key=JobKey(70), count=5)]
    plan = plan_cycle(a_snapshot(WaitingClass(job_class=job_class, runs=runs)))
    assert [(p.intake, p.key) for p in plan.placements] == [(10, 50), (11, 51), (20, 70), (21, 71)]
    assert list(plan.reasons) == [job_class]


def test_higher_priority_first() -> None:
    """However late its jobs came."""
    queues = [a_line("low", priority=1), a_line("high", priority=9)]
    jobs = [waiting(some(2), 1, 2, queue="low"), waiting(some(2), 3, 4, queue="high")]
    plan = plan_cycle(a_snapshot(*jobs, queues=queues))
    assert started(plan) == [3, 4]
    assert plan.reasons[jobs[0].job_class].causes == (
        "compute environment environment: host local: asks 2 vCPU, free 0 vCPU of 4 vCPU",
    )


def test_queues_of_one_priority_share_one_line() -> None:
    """Submission order holds between them."""
    queues = [a_line("a"), a_line("b")]
    jobs = [waiting(some(1), 2, 3, queue="a"), waiting(some(1), 1, 4, 5, queue="b")]
    assert started(plan_cycle(a_snapshot(*jobs, queues=queues))) == [1, 2, 3, 4]


def test_blocked_head_blocks_its_queue() -> None:
    """Nobody of the queue passes it, not even on another host, and those behind say so."""
    head, behind = waiting(some(4), 1), waiting(some(1), 2)
    hosts = [a_host("a", some(4, 100), used=some(1)), a_host("b", some(2, 100))]
    snapshot = a_snapshot(head, behind, hosts=hosts, environments=[a_view(hosts=["a", "b"])])
    plan = plan_cycle(snapshot)
    assert started(plan) == []
    assert plan.reasons[head.job_class].behind is None
    assert plan.reasons[behind.job_class].behind == JobKey(1001)


def test_host_is_kept_for_the_blocked_head() -> None:
    """Lower queues get other hosts, not the one that the head waits for."""
    hosts = [a_host("a", some(4, 100), used=some(1)), a_host("b", some(2, 100))]
    queues = [a_line("high", priority=2), a_line("low", priority=1)]
    jobs = [waiting(some(4), 1, queue="high"), waiting(some(1), 2, 3, 4, queue="low")]
    plan = plan_cycle(a_snapshot(*jobs, hosts=hosts, environments=[a_view(hosts=["a", "b"])], queues=queues))
    assert [(p.intake, p.host_id) for p in plan.placements] == [(2, "b"), (3, "b")]


def test_cap_is_kept_for_the_blocked_head() -> None:
    """What is left of a cap is not given to others when the head waits for more of it; the host is free for others."""
    environments = [a_view("capped", cap=4, used=2), a_view("free")]
    queues = [
        a_line("high", priority=2, environments=["capped"]),
        a_line("low", priority=1, environments=["capped"]),
        a_line("else", priority=1, environments=["free"]),
    ]
    jobs = [waiting(some(3), 1, queue="high"), waiting(some(1), 2, queue="low"), waiting(some(1), 3, queue="else")]
    plan = plan_cycle(a_snapshot(*jobs, environments=environments, queues=queues))
    assert started(plan) == [3]
    assert plan.reasons[jobs[1].job_class].causes == (
        "compute environment capped: asks 1 vCPU, free 2 vCPU of its maxvCpus 4 vCPU, kept for a job ahead",
    )


def test_part_of_a_cap_that_the_head_does_not_need_is_given() -> None:
    """The head waits for a host; the environment has room for both."""
    hosts = [a_host("a", used=some(2)), a_host("b", some(2, 100))]
    queues = [a_line("high", priority=2), a_line("low", priority=1)]
    jobs = [waiting(some(4), 1, queue="high"), waiting(some(1), 2, 3, queue="low")]
    view = a_view(hosts=["a", "b"], cap=7, used=2)
    assert started(plan_cycle(a_snapshot(*jobs, hosts=hosts, environments=[view], queues=queues))) == [2]


def test_environments_in_order() -> None:
    """The first with room takes the job; one that can't be used is passed over."""
    environments = [
        a_view("broken", hosts=["a"], problem="is DISABLED"),
        a_view("small", hosts=["a"], cap=2),
        a_view("large", hosts=["b"]),
    ]
    queue = a_line(environments=["gone", "broken", "small", "large"])
    snapshot = a_snapshot(
        waiting(some(1), 1, 2, 3), hosts=[a_host("a"), a_host("b")], environments=environments, queues=[queue]
    )
    plan = plan_cycle(snapshot)
    assert [p.environment_name for p in plan.placements] == ["small", "small", "large"]


def test_job_that_never_fits_steps_aside() -> None:
    """Others pass it, and its reason begins with the text of AWS."""
    giant, small = waiting(some(1, 0, 1), 1), waiting(some(1), 2)
    plan = plan_cycle(a_snapshot(giant, small))
    assert started(plan) == [2]
    reason = plan.reasons[giant.job_class]
    assert reason.status_reason.startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - ")
    assert reason.causes == (
        "compute environment environment: asks 1 vCPU, 0 MiB, 1 GPU; its largest host offers 4 vCPU, 4096 MiB, 0 GPU",
    )


def test_job_over_the_cap_steps_aside() -> None:
    """Also where jobs may run alone: that stretches hosts, not caps."""
    wide, small = waiting(some(3), 1), waiting(some(1), 2)
    plan = plan_cycle(a_snapshot(wide, small, environments=[a_view(cap=2)]))
    assert started(plan) == [2]
    reason = plan.reasons[wide.job_class]
    assert reason.status_reason.startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - ")
    assert reason.causes == ("compute environment environment: asks 3 vCPU, its maxvCpus is 2 vCPU",)


def test_oversize_waits_where_it_must() -> None:
    """With `wait` it steps aside for good."""
    giant, small = waiting(some(5), 1), waiting(some(1), 2)
    plan = plan_cycle(a_snapshot(giant, small, oversize="wait"))
    assert started(plan) == [2]
    assert plan.reasons[giant.job_class].status_reason.startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - ")


def test_oversize_runs_alone() -> None:
    """It takes the whole host, of GPUs only what it asked for, and nothing starts beside it."""
    host = a_host("local", some(4, 4096, 2))
    giant, small = waiting(some(5, 9999, 1), 1), waiting(some(0.25), 2)
    plan = plan_cycle(a_snapshot(giant, small, hosts=[host]))
    assert started(plan) == [1]
    assert plan.placements[0].resources == some(4, 4096, 1)
    assert plan.placements[0].gpu_names == ("local-gpu0",)


def test_oversize_waits_for_the_host_to_drain() -> None:
    """It blocks what is behind it and says what it waits for."""
    giant, small = waiting(some(5), 1), waiting(some(0.25), 2)
    plan = plan_cycle(a_snapshot(giant, small, hosts=[a_host(used=some(1))]))
    assert started(plan) == []
    assert plan.reasons[giant.job_class].causes == (
        "compute environment environment: asks 5 vCPU, 0 MiB, more than host local has (4 vCPU, 4096 MiB); it will run "
        "alone there once all else on it has ended",
    )


def test_oversize_is_alone_even_where_only_gpus_are_held() -> None:
    """Free vCPU and memory do not make a host idle."""
    host = a_host("local", some(4, 4096, 2), used=some(0, 0, 1))
    assert started(plan_cycle(a_snapshot(waiting(some(5), 1), hosts=[host]))) == []


def test_oversize_counts_against_the_cap_as_it_asked() -> None:
    """Not with what it holds of the host: the second has no room in the environment, though a host is free."""
    hosts = [a_host("a"), a_host("b")]
    snapshot = a_snapshot(waiting(some(5), 1, 2), hosts=hosts, environments=[a_view(hosts=["a", "b"], cap=9)])
    assert started(plan_cycle(snapshot)) == [1]


def test_nothing_is_stretched_while_a_larger_host_is_there() -> None:
    """A job that is too large for one host of its queue waits for the other, also where that can't be used now."""
    hosts = [a_host("small", some(1, 100)), a_host("large", used=some(3))]
    job = waiting(some(2), 1)
    plan = plan_cycle(a_snapshot(job, hosts=hosts, environments=[a_view(hosts=["small", "large"])]))
    assert started(plan) == []
    environments = [a_view("a", hosts=["small"]), a_view("b", hosts=["large"], problem="is DISABLED")]
    both = a_line(environments=["a", "b"])
    assert started(plan_cycle(a_snapshot(job, hosts=hosts, environments=environments, queues=[both]))) == []
    only = a_line(environments=["a"])
    assert started(plan_cycle(a_snapshot(job, hosts=hosts, environments=environments, queues=[only]))) == [1]


def test_unusable_environments_block() -> None:
    """Time may help, so nobody passes; the reason is that of AWS and says more."""
    job = waiting(some(1), 1)
    plan = plan_cycle(a_snapshot(job, environments=[a_view(problem="is DISABLED")]))
    reason = plan.reasons[job.job_class]
    assert reason.status_reason == (
        "ACTION_REQUIRED - CE(s) associated with the job queue are invalid. (compute environment environment: "
        "is DISABLED)"
    )
    plan = plan_cycle(a_snapshot(job, queues=[a_line(environments=[])]))
    assert plan.reasons[job.job_class].causes == ("the queue has no compute environment",)
    plan = plan_cycle(a_snapshot(job, queues=[a_line(environments=["gone"])]))
    assert plan.reasons[job.job_class].causes == ("compute environment gone does not exist",)
    plan = plan_cycle(a_snapshot(job, environments=[a_view(hosts=[])]))
    assert plan.reasons[job.job_class].causes == (
        "compute environment environment: asks 1 vCPU, 0 MiB; it has no host",
    )


def test_one_environment_where_time_helps_is_enough() -> None:
    """A job that is too large for one environment waits for the other, and its reason is no misconfiguration."""
    environments = [a_view("small", cap=1), a_view("busy", hosts=["b"])]
    hosts = [a_host(), a_host("b", used=some(4))]
    job = waiting(some(2), 1)
    queue = a_line(environments=["small", "busy"])
    reason = plan_cycle(a_snapshot(job, hosts=hosts, environments=environments, queues=[queue])).reasons[job.job_class]
    assert reason.status_reason == (
        "Waiting: compute environment small: asks 2 vCPU, its maxvCpus is 1 vCPU; "
        "compute environment busy: host b: asks 2 vCPU, free 0 vCPU of 4 vCPU"
    )


def test_every_shortage_is_named() -> None:
    """Each resource that is short, with what is asked, free and there."""
    host = a_host("local", some(4, 4096, 2), used=some(3.5, 4000, 1))
    job = waiting(some(1, 100, 2), 1)
    assert plan_cycle(a_snapshot(job, hosts=[host])).reasons[job.job_class].causes == (
        "compute environment environment: host local: asks 1 vCPU, free 0.5 vCPU of 4 vCPU; "
        "asks 100 MiB, free 96 of 4096 MiB; asks 2 GPU, free 1 of 2",
    )


def test_scratch_disk_is_a_resource_as_others_are() -> None:
    """What is held of a host is nobody else's; a job without a demand passes; the shortage is told with its numbers."""
    host = a_host("local", some(4, 4096, scratch_mib=1000), used=some(1, 0, scratch_mib=600))
    job, other = waiting(some(1, 100, scratch_mib=401), 1), waiting(some(1, 100, scratch_mib=400), 2)
    plan = plan_cycle(a_snapshot(job, hosts=[host]))
    assert plan.reasons[job.job_class].causes == (
        "compute environment environment: host local: asks 401 MiB scratch disk, free 400 of 1000 MiB",
    )
    assert started(plan_cycle(a_snapshot(other, waiting(some(1), 3), hosts=[host]))) == [2, 3]


def test_scratch_disk_that_no_host_offers() -> None:
    """More than a host has, a job gets all of it, alone; where a host offers none, it never starts."""
    job = waiting(some(1, 100, scratch_mib=1001), 1)
    plan = plan_cycle(a_snapshot(job, hosts=[a_host("local", some(4, 4096, scratch_mib=1000))]))
    assert plan.placements[0].resources == some(4, 4096, scratch_mib=1000)
    plan = plan_cycle(a_snapshot(job))
    assert plan.reasons[job.job_class].causes == (
        "compute environment environment: asks 1 vCPU, 100 MiB, 1001 MiB scratch disk; "
        "its largest host offers 4 vCPU, 4096 MiB, 0 MiB scratch disk",
    )


def test_cap_that_is_used_up() -> None:
    """Named with its numbers."""
    job = waiting(some(2), 1)
    plan = plan_cycle(a_snapshot(job, environments=[a_view(cap=3, used=2)]))
    assert plan.reasons[job.job_class].causes == (
        "compute environment environment: asks 2 vCPU, free 1 vCPU of its maxvCpus 3 vCPU",
    )


def test_gpus_are_placed_by_name() -> None:
    """Each has one holder."""
    host = a_host("local", some(4, 4096, 3), used=some(0, 0, 1))
    plan = plan_cycle(a_snapshot(waiting(some(1, 0, 1), 1, 2, 3), hosts=[host]))
    assert [p.gpu_names for p in plan.placements] == [("local-gpu1",), ("local-gpu2",)]


def test_jobs_of_a_queue_that_is_gone() -> None:
    """They wait and say so; a queue of that name in another region is another queue."""
    elsewhere = Scope(account_id=HERE.account_id, region="elsewhere")
    job = waiting(some(1), 1)
    lost = WaitingClass(job_class=replace(job.job_class, scope=elsewhere), runs=job.runs)
    plan = plan_cycle(a_snapshot(lost))
    assert started(plan) == []
    assert plan.reasons[lost.job_class].causes == ("job queue queue does not exist",)


def test_plan_is_bounded() -> None:
    """What is not come to is told so, with the bound."""
    jobs = [waiting(some(1), 1, 2, 3), waiting(some(0.5), 4)]
    plan = plan_cycle(limited(a_snapshot(*jobs), 2))
    assert started(plan) == [1, 2]
    assert {reason.causes for reason in plan.reasons.values()} == {
        ("2 jobs ahead of it are started first, as many as start at once",)
    }
    assert set(plan.reasons) == {job.job_class for job in jobs}


class TestClasses:
    def test_jobs_that_look_the_same_are_of_one_class(self) -> None:
        """Whoever submitted them, under whatever name."""
        assert class_of(a_job_spec(1)) == class_of(a_job_spec(2, array_size=9))
        assert class_id(a_job_spec(1)) == class_id(a_job_spec(2))

    def test_what_placement_sees_makes_the_class(self) -> None:
        """Scope, queue and each resource; their ids differ too."""
        plain = class_of(a_job_spec())
        others = [
            class_of(a_job_spec(queue="other")),
            class_of(a_job_spec(scope=Scope(account_id=HERE.account_id, region="elsewhere"))),
            class_of(a_job_spec(scope=Scope(account_id="1" * 12, region=HERE.region))),
            *(replace(plain, resources=resources) for resources in (some(2, 128), some(1, 129), some(1, 128, 1))),
        ]
        assert len({plain, *others}) == len({job_class.id for job_class in (plain, *others)}) == 7

    def test_id_is_stable(self) -> None:
        """Another version of the server finds what this one published."""
        job_class = JobClass(scope=HERE, queue_name="queue", resources=some(1, 128))
        assert job_class.id == "b6099b41c76f8c9b54b064f6"
