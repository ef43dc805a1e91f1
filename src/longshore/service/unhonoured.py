"""What was asked for and an engine does not do, so that nothing is dropped in silence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from longshore.domain.container import ContainerProperties
from longshore.domain.job import JobSpec
from longshore.domain.workload import workload_of
from longshore.ports.engine import Capabilities
from longshore.ports.overview import EngineHealth
from longshore.ports.store import JobView, Reader
from longshore.service.documents import Document

_EACH_LINE = "each line that is written is an event of its own"
#: Options of the awslogs driver.
_UNHONOURED_LOG_OPTIONS = {
    "awslogs-datetime-format": _EACH_LINE,
    "awslogs-multiline-pattern": _EACH_LINE,
    "awslogs-region": "logs are kept in the region of the job",
}
#: Members that every job states, in one of two ways.
_REQUIREMENTS = {"vcpus": "resourceRequirements.VCPU", "memory": "resourceRequirements.MEMORY"}


class Unhonoured(Document, frozen=True):
    """One part of a job that does not hold on one engine."""

    engine: str
    #: by its name in the API, members of members after a dot
    setting: str
    text: str


def unhonoured(reader: Reader, view: JobView, engines: Mapping[str, EngineHealth]) -> Sequence[Unhonoured]:
    """On the engine of the latest attempt, or before the first on those of the queue's environments."""
    spec = view.job.spec
    if view.attempts:
        names: Sequence[str] = [view.attempts[-1].environment_name]
    else:
        queue = reader.queue(spec.scope, spec.queue_name)
        names = queue.environment_names if queue is not None else ()
    environments = [reader.environment(spec.scope, name) for name in names]
    used = dict.fromkeys(environment.engine for environment in environments if environment is not None)
    return [
        Unhonoured(engine=name, setting=setting, text=text)
        for name in used
        if name in engines
        for setting, text in _gaps(spec, engines[name].capabilities).items()
    ]


def _gaps(spec: JobSpec, engine: Capabilities) -> Mapping[str, str]:
    """What holds of every job first; an engine's own words on a setting come in place of ours."""
    gaps: dict[str, str] = {}
    if not engine.uses_images:
        image = f"the image {spec.single_container.image} is not used; " if spec.single_container.image else ""
        gaps["image"] = f"{image}the command runs as a plain process of the machine"
        gaps["isolation"] = "processes of one user can reach each other and each other's files: no security boundary"
    if not engine.enforces_memory:
        gaps[_REQUIREMENTS["memory"]] = (
            f"{spec.resources.memory_mib} MiB count when jobs are placed, but nothing holds the job to them, and an "
            "end for lack of memory is not told apart from others"
        )
    for path, reason in engine.ignored_settings.items():
        if _is_asked_for(spec.single_container, path):
            gaps[_api_name(path)] = reason
    gaps |= _log_gaps(spec)
    if spec.task_tags and not engine.bears_tags:
        gaps["propagateTags"] = "tags stay with the job; what this engine starts for it bears none of them"
    return gaps


def _log_gaps(spec: JobSpec) -> Mapping[str, str]:
    """Of awslogs, what names group and stream is honoured; of json-file, nothing needs to be."""
    gaps: dict[str, str] = {}
    for node in workload_of(spec).nodes:
        for container in node.containers:
            configuration = container.properties.log_configuration
            if configuration is None:
                continue
            if configuration.log_driver == "json-file":
                gaps["logConfiguration"] = "output goes to the logs of this server, and has no file of its own"
            for option in configuration.options.keys() & _UNHONOURED_LOG_OPTIONS.keys():
                gaps[f"logConfiguration.options.{option}"] = _UNHONOURED_LOG_OPTIONS[option]
    return gaps


def _is_asked_for(container: ContainerProperties, path: str) -> bool:
    """Whether a job sets `path`, attribute names joined by dots, to something that would have an effect."""
    if path in _REQUIREMENTS:
        return True
    values: list[object] = [container]
    for name in path.split("."):
        values = [item for value in values for item in _items(getattr(value, name))]
    return bool(values)


def _items(value: object) -> Iterable[object]:
    """What a member holds; absent, empty and false ones hold nothing."""
    if isinstance(value, tuple):
        return cast(tuple[object, ...], value)
    return (value,) if value else ()


def _api_name(path: str) -> str:
    if path in _REQUIREMENTS:
        return _REQUIREMENTS[path]
    head, *rest = path.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
