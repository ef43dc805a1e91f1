"""`explain` names what a job waits for, with numbers, and how it ended."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.consumable import ConsumableResource
from longshore.domain.container import LinuxParameters, LogConfiguration, Ulimit
from longshore.domain.definition import Form
from longshore.domain.dependency import DependencyType
from longshore.domain.ecs import FirelensConfiguration
from longshore.domain.eks import EksContainerSecurityContext, EksEmptyDir, EksVolume
from longshore.domain.ids import JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle import reasons
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy
from longshore.domain.powers import JobPowers
from longshore.domain.retry import EvaluateOnExit, OnOom, RetryStrategy
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.parse import EngineInfo
from longshore.engines.docker.render import ignored_settings
from longshore.engines.process.render import IGNORED
from longshore.testing.forms import a_pod, a_pod_container, a_task, a_task_container, formed_spec, some_nodes
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, JobBuilder, a_job, a_queue, an_environment
from tests.api.native.native_desk import Desk


def with_settings(job: JobBuilder, **settings: Any) -> JobBuilder:
    container = replace(job.spec.container, **settings)
    return replace(job, spec=replace(job.spec, container=container))


async def test_a_running_job_says_where_it_runs(desk: Desk) -> None:
    spec = await desk.submit(a_job())
    await desk.start(spec.uuid)
    told = await desk.explain(spec.uuid)
    assert told["status"] == "RUNNING"
    assert "attempt 1 runs on host local in environment" in told["summary"]
    assert told["waitsFor"] == []
    assert [step["statusTo"] for step in told["timeline"]] == ["RUNNABLE", "STARTING", "RUNNING"]
    assert told["since"] == told["timeline"][-1]["at"]


async def test_the_first_in_line_waits_for_amounts(desk: Desk) -> None:
    await desk.submit(a_job().needing(vcpu=3))
    waiting = await desk.submit(a_job().needing(vcpu=2))
    waits = await desk.waits(waiting.uuid)
    assert waits == "capacity: compute environment environment: host local: asks 2 vCPU, free 1 vCPU of 4 vCPU"
    assert "asks 2 vCPU, free 1 vCPU of 4 vCPU" in (await desk.explain(waiting.uuid))["summary"]


async def test_a_follower_names_the_job_ahead_and_what_that_one_waits_for(desk: Desk) -> None:
    await desk.submit(a_job().needing(vcpu=3))
    ahead = await desk.submit(a_job().needing(vcpu=2))
    behind = await desk.submit(a_job().needing(vcpu=1))
    told = await desk.explain(behind.uuid)
    assert [cause["jobId"] for cause in told["waitsFor"]] == [ahead.uuid, None, None]
    waits = await desk.waits(behind.uuid)
    order = "ahead of it in job queue queue: 1 RUNNABLE job, array children counted; the first is"
    assert f"{order} {ahead.uuid}" in waits
    assert "capacity: compute environment environment: host local is kept free for a job ahead" in waits
    assert f"capacity: room is kept for job {ahead.uuid}" in waits


async def test_a_job_of_a_share_is_told_its_place(desk: Desk) -> None:
    """By what shares have used, not by who was submitted first."""
    policy = SchedulingPolicy(scope=A_SCOPE, name="p", fairshare_policy=FairsharePolicy(), created_at=A_MOMENT)
    await desk.store.write(lambda tx: tx.put_scheduling_policy(policy))
    await desk.put(queue=a_queue("fair", scheduling_policy_arn=policy.arn))
    await desk.submit(a_job().needing(vcpu=4).in_queue("fair").sharing_as("red"))
    behind = await desk.submit(a_job().in_queue("fair").sharing_as("red"))
    first = await desk.submit(a_job().in_queue("fair").sharing_as("green"))
    place = "in job queue fair (share red, shares take turns by what they have used): 1; the first is"
    assert f"order: ahead of it {place} {first.uuid}" in await desk.waits(behind.uuid)
    assert "ahead of it in job queue" not in await desk.waits(first.uuid)


async def test_a_job_that_lacks_a_consumable_resource_says_how_much(desk: Desk) -> None:
    """With what is asked, free and there."""
    licence = ConsumableResource(scope=A_SCOPE, name="licence", quantity=5, created_at=A_MOMENT)
    await desk.store.write(lambda tx: tx.put_consumable(licence))
    await desk.submit(a_job().taking(licence=3))
    waiting = await desk.submit(a_job().taking(licence=4))
    assert "capacity: asks 4 of consumable resource licence, free 2 of 5" in await desk.waits(waiting.uuid)


async def test_jobs_ahead_in_other_queues_are_told_apart(desk: Desk) -> None:
    """Those of queues that share an environment: all where the priority is higher, earlier ones where it is equal."""
    await desk.put(environment=an_environment("aside", engine="fake"), queue=a_queue("aside", "aside", priority=9))
    await desk.put(queue=a_queue("urgent", "aside", "environment", priority=7))
    await desk.put(queue=a_queue("equal"))
    await desk.put(queue=a_queue("low", priority=0))
    await desk.submit(a_job().needing(vcpu=4))
    early = await desk.submit(a_job().needing(vcpu=4).in_queue("equal"))
    own = await desk.submit(a_job())
    waiting = await desk.submit(a_job())
    await desk.submit(a_job().in_queue("equal"))
    await desk.submit(a_job().in_queue("low"))
    await desk.submit(a_job().needing(vcpu=2).in_queue("aside"))
    urgent = await desk.submit(a_job().needing(vcpu=4).in_queue("urgent"))
    await desk.submit(a_job().needing(vcpu=4).array(3).in_queue("urgent"))
    told = [cause for cause in (await desk.explain(waiting.uuid))["waitsFor"] if cause["text"].startswith("ahead")]
    assert [(cause["text"], cause["jobId"]) for cause in told] == [
        (
            "ahead of it in job queue urgent, whose priority is 7 and not 1: 4 RUNNABLE jobs, array children counted;"
            f" the first is {urgent.uuid}",
            urgent.uuid,
        ),
        (
            "ahead of it in job queue equal, whose priority is 1 too: 1 RUNNABLE job, array children counted;"
            f" the first is {early.uuid}",
            early.uuid,
        ),
        (
            f"ahead of it in job queue queue: 1 RUNNABLE job, array children counted; the first is {own.uuid}",
            own.uuid,
        ),
    ]


async def test_children_ahead_are_counted(desk: Desk) -> None:
    array = await desk.submit(a_job().needing(vcpu=2).array(5))
    waits = await desk.waits(f"{array.uuid}:4")
    assert "2 children of the same array job with a lower index come first" in waits
    parent = await desk.explain(array.uuid)
    assert parent["children"]["counts"]["RUNNABLE"] == 3
    assert "of 5 children: 3 RUNNABLE, 2 STARTING" in parent["summary"]
    assert "asks 2 vCPU, free 0 vCPU of 4 vCPU" in await desk.waits(array.uuid)
    later = await desk.submit(a_job())
    assert "ahead of it in job queue queue: 3 RUNNABLE jobs" in await desk.waits(later.uuid)


async def test_open_dependencies_are_named_with_their_status(desk: Desk) -> None:
    first = await desk.submit(a_job().named("first"))
    array = await desk.submit(a_job().array(3))
    last = await desk.submit(a_job().after(first.key).after(array.key))
    waits = await desk.waits(last.uuid)
    assert f"depends on job {first.uuid} (first), which is STARTING" in waits
    assert f"depends on job {array.uuid} (job), which is PENDING; 0 of its 3 children have ended" in waits
    await desk.end(first.uuid, 0)
    waits = await desk.waits(last.uuid)
    assert first.uuid not in waits
    assert "1 of the 2 jobs that it depends on have succeeded" in waits


async def test_children_name_the_children_that_they_wait_for(desk: Desk) -> None:
    first = await desk.submit(a_job().array(2))
    second = await desk.submit(a_job().array(2).after(first.key, DependencyType.N_TO_N))
    sequence = await desk.submit(a_job().array(2).one_by_one())
    assert f"depends on job {first.uuid}:1" in await desk.waits(f"{second.uuid}:1")
    assert f"each child waits for the child of the same index of job {first.uuid}" in await desk.waits(second.uuid)
    assert f"depends on job {sequence.uuid}:0" in await desk.waits(f"{sequence.uuid}:1")
    assert "each child waits for the child before it" in await desk.waits(sequence.uuid)


async def test_a_disabled_queue_and_environment_are_named(desk: Desk) -> None:
    await desk.put(environment=an_environment(engine="fake", state="DISABLED"), queue=a_queue(state="DISABLED"))
    spec = await desk.submit(a_job())
    waits = await desk.waits(spec.uuid)
    assert "capacity: compute environment environment: is DISABLED" in waits
    assert "queue: job queue queue is DISABLED: it takes no new jobs" in waits


async def test_an_engine_that_is_down_is_named_before_the_job_is_its_turn(desk: Desk) -> None:
    first = await desk.submit(a_job())
    last = await desk.submit(a_job().after(first.key))
    desk.leader.lanes["fake"].problem = "it does not answer"
    assert (
        "environment: compute environment environment: its engine fake is not available: it does not answer"
    ) in await desk.waits(last.uuid)


async def test_a_noted_cancellation_is_told(desk: Desk) -> None:
    first = await desk.submit(a_job())
    last = await desk.submit(a_job().after(first.key))
    await desk.store.write(lambda tx: tx.put_request(last.key, Wish(kind=WishKind.CANCEL, reason="no use")))
    desk.inbox.notify()
    await desk.settle()
    assert "request: it was asked to cancel (no use) and ends when its dependencies have ended" in await desk.waits(
        last.uuid
    )


async def test_a_finished_job_is_accounted_for(desk: Desk) -> None:
    spec = await desk.submit(a_job().retried(2).limited_to(60))
    await desk.end(spec.uuid, 3, cpu_seconds=5.0, peak_memory_bytes=64 * 2**20)
    await desk.end(spec.uuid, 4)
    told = await desk.explain(spec.uuid)
    first, second = told["attempts"]
    assert first["use"] == "ran 10 s, used 5.00 CPU s of 1 vCPU (50%), peak 64.0 MiB of 128 MiB (50%)"
    assert first["used"] == {
        "runSeconds": 10.0,
        "cpuSeconds": 5.0,
        "peakMemoryBytes": 67108864,
        "peakScratchBytes": None,
    }
    assert first["decision"] == "tried again; 1 of 2 attempts spent"
    assert second["decision"] == "not tried again: 2 of 2 attempts spent"
    assert "Essential container in task exited, exit code 4, after 2 attempts" in told["summary"]
    assert told["timeline"][-1]["detail"] == "exit code 4"


async def test_the_rule_that_decided_is_named(desk: Desk) -> None:
    rules = [
        EvaluateOnExit(action="retry", on_exit_code="75"),
        EvaluateOnExit(action="EXIT", on_reason="*"),
    ]
    spec = await desk.submit(a_job().retried(5, *rules))
    await desk.lose(spec.uuid)
    ended = (await desk.explain(spec.uuid))["attempts"]
    assert ended[0]["decision"].startswith("not tried again: rule 2 of evaluateOnExit (onReason *) says EXIT")

    spec = await desk.submit(a_job().retried(5, *rules))
    await desk.end(spec.uuid, 75)
    await desk.end(spec.uuid, 1)
    decisions = [attempt["decision"] for attempt in (await desk.explain(spec.uuid))["attempts"]]
    assert decisions == [
        "tried again: rule 1 of evaluateOnExit (onExitCode 75) says RETRY; 1 of 5 attempts spent",
        "not tried again: rule 2 of evaluateOnExit (onReason *) says EXIT; 2 of 5 attempts spent",
    ]


async def test_a_lost_host_is_not_charged(desk: Desk) -> None:
    spec = await desk.submit(a_job())
    await desk.lose(spec.uuid)
    await desk.end(spec.uuid, 1)
    decisions = [attempt["decision"] for attempt in (await desk.explain(spec.uuid))["attempts"]]
    assert decisions == [
        "tried again: the loss of a host is not charged to the job's own attempts",
        "not tried again: 1 of 1 attempt spent",
    ]


async def test_failed_children_are_named(desk: Desk) -> None:
    array = await desk.submit(a_job().array(3))
    await desk.end(f"{array.uuid}:1", 1)
    assert (await desk.explain(array.uuid))["failedChildren"] == [f"{array.uuid}:1"]


async def test_what_the_engine_does_not_do_is_told_only_where_it_was_asked_for(desk: Desk) -> None:
    desk.be_able(
        uses_images=False,
        enforces_memory=False,
        ignored_settings={
            "privileged": "no privileges to give",
            "ulimits": "not set here",
            "linux_parameters.max_swap": "no swap",
            "linux_parameters.swappiness": "no swap",
        },
    )
    job = with_settings(
        a_job(),
        privileged=False,
        ulimits=(Ulimit(name="nofile", hard_limit=1, soft_limit=1),),
        linux_parameters=LinuxParameters(max_swap=10),
        log_configuration=LogConfiguration(log_driver="awslogs", options={"awslogs-group": "g"}),
    )
    told = await desk.explain((await desk.submit(job)).uuid)
    gaps = {gap["setting"]: gap["text"] for gap in told["notHonoured"]}
    assert list(gaps) == ["image", "isolation", "resourceRequirements.MEMORY", "ulimits", "linuxParameters.maxSwap"]
    assert gaps["image"].startswith("the image busybox is not used")
    assert "128 MiB" in gaps["resourceRequirements.MEMORY"]

    other = with_settings(a_job(), log_configuration=LogConfiguration(log_driver="json-file"))
    told = await desk.explain((await desk.submit(other)).uuid)
    assert [gap["setting"] for gap in told["notHonoured"]][-1] == "logConfiguration"

    elsewhere = LogConfiguration(log_driver="awslogs", options={"awslogs-region": "eu-west-3"})
    told = await desk.explain((await desk.submit(with_settings(a_job(), log_configuration=elsewhere))).uuid)
    assert told["notHonoured"][-1]["setting"] == "logConfiguration.options.awslogs-region"


async def test_tags_that_are_not_propagated_are_told(desk: Desk) -> None:
    job = a_job()
    asking = replace(job, spec=replace(job.spec, propagate_tags=True, task_tags={"team": "a"}))
    told = await desk.explain((await desk.submit(asking)).uuid)
    assert "propagateTags" in [gap["setting"] for gap in told["notHonoured"]]


DOCKER_IGNORES = ignored_settings(DockerConfig(installation_id="0" * 32), EngineInfo())


@pytest.mark.parametrize("ignored", [IGNORED, DOCKER_IGNORES], ids=["process", "docker"])
async def test_what_real_engines_name_is_part_of_a_job(desk: Desk, ignored: Mapping[str, str]) -> None:
    desk.be_able(ignored_settings={**ignored, "memory": "not held to it"})
    job = with_settings(a_job(), linux_parameters=LinuxParameters(max_swap=1), enable_execute_command=True)
    told = await desk.explain((await desk.submit(job)).uuid)
    gaps = {gap["setting"]: gap["text"] for gap in told["notHonoured"]}
    assert gaps["resourceRequirements.MEMORY"] == "not held to it"
    assert "enableExecuteCommand" in gaps


async def test_jobs_that_are_not_there(desk: Desk) -> None:
    assert await desk.refused("jobs/nonsense/explain") == (400, "nonsense is not a job id")
    unknown = a_job().new(JobKey(1)).spec.uuid
    assert await desk.refused(f"jobs/{unknown}/explain") == (404, f"there is no job {unknown}")


def formed(form: Form) -> JobBuilder:
    """A job of this form."""
    job, spec = a_job(), formed_spec(form)
    members = {name: getattr(spec, name) for name in ("ecs_properties", "eks_properties", "node_properties")}
    return replace(job, spec=replace(job.spec, container=None, resources=spec.resources, **members))


async def told_settings(desk: Desk, form: Form) -> Mapping[str, str]:
    spec = await desk.submit(formed(form))
    return {gap["setting"]: gap["text"] for gap in (await desk.explain(spec.uuid))["notHonoured"]}


async def test_containers_that_ask_for_what_an_engine_ignores_are_named(desk: Desk) -> None:
    desk.be_able(ignored_settings={"privileged": "no engine here does that"})
    quiet, loud = a_task_container("quiet"), a_task_container("loud", privileged=True)
    assert await told_settings(desk, a_task(quiet, loud)) == {"privileged": "no engine here does that (of loud)"}


async def test_members_of_a_task_without_effect_are_named(desk: Desk) -> None:
    router = a_task_container("router", firelens_configuration=FirelensConfiguration(type="fluentbit"))
    found = await told_settings(desk, a_task(router, ipc_mode="task", pid_mode="host"))
    assert set(found) == {
        "taskProperties.ipcMode",
        "taskProperties.pidMode",
        "taskProperties.containers.firelensConfiguration",
    }


async def test_members_of_a_pod_without_effect_are_named(desk: Desk) -> None:
    """But for those that the engine honours."""
    assert set(await told_settings(desk, a_pod(a_pod_container("main")))) == {"podProperties.hostNetwork"}
    desk.be_able(pod_members=frozenset({"host_network"}))
    container = a_pod_container("main", security_context=EksContainerSecurityContext(run_as_non_root=True))
    assert await told_settings(desk, a_pod(a_pod_container("main"))) == {}
    found = await told_settings(desk, a_pod(container, service_account_name="robot", dns_policy="Default"))
    assert set(found) == {
        "podProperties.serviceAccountName",
        "podProperties.dnsPolicy",
        "podProperties.containers.securityContext.runAsNonRoot",
    }
    desk.be_able(pod_members=frozenset({"host_network", "run_as_non_root", "medium", "size_limit"}))
    folders = (
        EksVolume(name="memory", empty_dir=EksEmptyDir(medium="Memory", size_limit="1Mi")),
        EksVolume(name="disk", empty_dir=EksEmptyDir(size_limit="1Mi")),
    )
    assert await told_settings(desk, a_pod(container, volumes=folders)) == {
        "podProperties.volumes.emptyDir.sizeLimit": "the size of a folder on the disk is not limited (of disk)"
    }


async def test_instance_types_of_nodes_have_no_effect(desk: Desk) -> None:
    nodes = some_nodes(2)
    (of_all,) = nodes.node_range_properties
    named = replace(nodes, node_range_properties=(replace(of_all, instance_types=("m5.large",)),))
    assert set(await told_settings(desk, named)) == {"nodeRangeProperties.instanceTypes"}


async def test_memory_that_was_raised_is_told(desk: Desk) -> None:
    """What each attempt asked for, what the next one asks, and that there is no more."""
    job = a_job().needing(vcpu=1, memory_mib=2500)
    powers = JobPowers(on_oom=OnOom(factor_milli=2000))
    spec = await desk.submit(replace(job, spec=replace(job.spec, powers=powers, retry=RetryStrategy(attempts=3))))
    blocker = await desk.submit(a_job().needing(vcpu=1, memory_mib=1000))
    await desk.end(spec.uuid, 137, reason=reasons.OUT_OF_MEMORY)
    told = await desk.explain(spec.uuid)
    assert (told["status"], told["asked"]["memoryMib"]) == ("RUNNABLE", 4096)
    assert "asks 4096 MiB, free 3096 of 4096 MiB" in await desk.waits(spec.uuid)
    assert told["attempts"][0]["decision"] == (
        "tried again with 4,096 MiB in place of 2,500 MiB, as longshore:on-oom says; 1 of 3 attempts spent"
    )
    assert told["timeline"][-1]["detail"].endswith("; next with 4096 MiB")
    await desk.end(blocker.uuid, 0)
    await desk.end(spec.uuid, 137, reason=reasons.OUT_OF_MEMORY)
    first, second, _ = (await desk.explain(spec.uuid))["attempts"]
    assert [each["asked"]["memoryMib"] for each in (first, second)] == [2500, 4096]
    assert second["decision"] == (
        "tried again with the same memory, which longshore:on-oom does not raise any more; 2 of 3 attempts spent"
    )


async def test_a_child_that_asks_more_has_a_reason_of_its_own(desk: Desk) -> None:
    """And so has the array, when only that child waits."""
    job = a_job().needing(vcpu=1, memory_mib=2000).array(2)
    powers = JobPowers(on_oom=OnOom(factor_milli=2000))
    spec = await desk.submit(replace(job, spec=replace(job.spec, powers=powers, retry=RetryStrategy(attempts=3))))
    child = f"{spec.uuid}:0"
    await desk.end(child, 137, reason=reasons.OUT_OF_MEMORY)
    for job_id in (child, spec.uuid):
        assert "asks 4000 MiB" in await desk.waits(job_id)
        assert "4000 MiB" in (await desk.explain(job_id))["statusReason"]
