"""Draws the jobs that have several containers or nodes. Chance has a stream of its own here."""

import random
from collections.abc import Collection, Sequence
from dataclasses import replace

from longshore.domain.container import ContainerProperties
from longshore.domain.ecs import EcsProperties, TaskContainerProperties
from longshore.domain.eks import EksProperties
from longshore.domain.nodes import NodeProperties, NodeRangeProperty
from longshore.domain.requirements import resources_of
from longshore.domain.resources import Resources
from longshore.testing.builders import a_container
from longshore.testing.forms import a_pod, a_pod_container, a_task, a_task_container
from longshore.testing.simulation.scenario import PlannedJob

Form = EcsProperties | EksProperties | NodeProperties


def draw_forms(seed: int, jobs: Sequence[PlannedJob], *, pod_queues: Collection[str]) -> tuple[PlannedJob, ...]:
    """The jobs, some of them with several containers or nodes; those of the named queues are pods, and no others."""
    rng = random.Random(f"{seed} forms")
    share = rng.choice((0.0, 0.3, 0.7))
    return tuple(
        _formed(rng, job, is_pod=job.queue in pod_queues) if job.queue in pod_queues or rng.random() < share else job
        for job in jobs
    )


def _formed(rng: random.Random, job: PlannedJob, *, is_pod: bool) -> PlannedJob:
    is_large = job.array_size is not None and job.array_size > 10
    command = ("job", str(job.number))
    form: Form
    if is_pod:
        form = _draw_pod(rng, command, is_small=is_large)
    elif is_large:
        return job
    elif job.array_size is None and rng.random() < 0.7:
        form = _draw_nodes(rng, command)
    else:
        form = _draw_task(rng, command, rng.randint(1, 4))
    return replace(job, form=form, resources=resources_of(form))


def _draw_share(rng: random.Random) -> Resources:
    return Resources(
        vcpu_milli=rng.choice((1000, 1000, 1000, 2000)),
        memory_mib=rng.choice((64, 64, 128, 1024)),
        gpus=int(rng.random() < 0.1),
    )


def _draw_task(rng: random.Random, command: tuple[str, ...], count: int) -> EcsProperties:
    """Containers that wait for those before them in all ways; the last is essential."""
    essential = [rng.random() < 0.5 for _ in range(count - 1)] + [True]
    containers: list[TaskContainerProperties] = []
    for number in range(count):
        depends_on: dict[str, str] = {}
        for before in rng.sample(range(number), rng.choice((0, min(1, number), number))):
            conditions = ("START",) if essential[before] else ("START", "COMPLETE", "SUCCESS")
            depends_on[f"c{before}"] = rng.choice(conditions)
        containers.append(
            a_task_container(
                f"c{number}",
                *command,
                essential=essential[number],
                depends_on=depends_on,
                resources=_draw_share(rng),
                start_timeout=rng.choice((None, None, 2, 20)),
                stop_timeout=rng.choice((None, None, 2, 10)),
            )
        )
    return a_task(*containers)


def _draw_pod(rng: random.Random, command: tuple[str, ...], *, is_small: bool) -> EksProperties:
    if is_small:
        return a_pod(a_pod_container("c0", *command, resources=_draw_share(rng)))
    inits = tuple(a_pod_container(f"i{n}", *command, resources=_draw_share(rng)) for n in range(rng.choice((0, 1, 2))))
    main = (a_pod_container(f"c{n}", *command, resources=_draw_share(rng)) for n in range(rng.choice((1, 1, 2, 3))))
    return a_pod(*main, inits=inits)


def _draw_nodes(rng: random.Random, command: tuple[str, ...]) -> NodeProperties:
    count = rng.choice((1, 2, 2, 3, 4, 6))
    main = rng.randrange(count)
    ranges = [_draw_range(rng, command, ":")]
    if count > 2 and rng.random() < 0.5:
        ranges.append(_draw_range(rng, command, f"{rng.randrange(count)}:"))
    return NodeProperties(num_nodes=count, main_node=main, node_range_properties=tuple(ranges))


def _draw_range(rng: random.Random, command: tuple[str, ...], targets: str) -> NodeRangeProperty:
    form: ContainerProperties | EcsProperties
    if rng.random() < 0.7:
        return NodeRangeProperty(target_nodes=targets, container=a_container(*command, resources=_draw_share(rng)))
    form = _draw_task(rng, command, 2)
    return NodeRangeProperty(target_nodes=targets, ecs_properties=form)
