"""The one form of a job that execution knows, whatever form its definition has: nodes, each of them with containers."""

from dataclasses import dataclass
from enum import StrEnum

from longshore.domain.definition import ContainerProperties
from longshore.domain.job import JobSpec
from longshore.domain.resources import Resources


class Condition(StrEnum):
    """What a container waits for another to have done. Source: AWS Batch API, TaskContainerDependency."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkContainer:
    """One container of a node."""

    name: str
    properties: ContainerProperties
    resources: Resources
    #: run in place of the image's entry point, before `properties.command`; empty: the image's own
    entrypoint: tuple[str, ...] = ()
    #: names of containers listed with it, each with what it must have done before this one is launched
    depends_on: tuple[tuple[str, Condition], ...] = ()
    #: its end, however it comes, ends all other containers of the node
    ends_all: bool = True
    #: the node succeeds only if this one exits with 0
    must_succeed: bool = True
    #: between SIGTERM and SIGKILL; None: the server's setting
    stop_timeout_seconds: int | None = None
    #: from its start; others that still wait then for it to complete or succeed give up. None: they wait on
    start_timeout_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkNode:
    """One node: its containers share a host and their volumes."""

    index: int
    containers: tuple[WorkContainer, ...]
    #: what the node takes of its host
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """All of an attempt."""

    #: by index, from 0
    nodes: tuple[WorkNode, ...]
    main_node: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether it is one container on one node, whose attempts have no parts."""
        return len(self.nodes) == len(self.nodes[0].containers) == 1


def workload_of(spec: JobSpec) -> Workload:
    """What each attempt of this job consists of."""
    container = WorkContainer(name="default", properties=spec.container, resources=spec.resources)
    return Workload(nodes=(WorkNode(index=0, containers=(container,), resources=spec.resources),))
