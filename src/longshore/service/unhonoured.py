"""What was asked for and an engine does not do, so that nothing is dropped in silence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never, cast

from longshore.domain.container import ContainerProperties
from longshore.domain.definition import Form
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksPodProperties, EksProperties
from longshore.domain.instance_types import INSTANCE_TYPES
from longshore.domain.job import JobSpec
from longshore.domain.nodes import NodeProperties
from longshore.domain.resources import Resources
from longshore.domain.training import TrainingRequest
from longshore.domain.workload import WorkContainer, workload_of
from longshore.ports.engine import Capabilities
from longshore.ports.overview import EngineHealth
from longshore.ports.store import JobView, Reader
from longshore.scheduling.explain import amounts
from longshore.service.documents import Document
from longshore.service.everywhere import load_environment
from longshore.service.training_gaps import training_gaps

#: Options of the awslogs driver.
_UNHONOURED_LOG_OPTIONS = {
    "awslogs-region": "logs are kept in the region of the job",
}
#: Members that every job states, in one of two ways.
_REQUIREMENTS = {"vcpus": "resourceRequirements.VCPU", "memory": "resourceRequirements.MEMORY"}
_NO_KUBERNETES = "kept and shown; no Kubernetes runs the pod"
_OF_TASKS = {
    "ipc_mode": "kept and shown; each container has System V IPC as the engine gives it",
    "network_mode": "kept and shown; a setting of the server decides the network of all jobs",
    "pid_mode": "kept and shown; each container sees processes as the engine shows them",
    "containers.firelens_configuration": "logs are not routed: each container's output is kept in a stream of its own",
}
_OF_PODS = {
    "host_network": "the engine's settings decide which network containers use",
    "service_account_name": _NO_KUBERNETES,
    "dns_policy": _NO_KUBERNETES,
    "image_pull_secrets": _NO_KUBERNETES,
    "metadata": _NO_KUBERNETES,
    "share_process_namespace": _NO_KUBERNETES,
    "containers.image_pull_policy": "images are pulled as the engine's settings say",
    "init_containers.image_pull_policy": "images are pulled as the engine's settings say",
    "volumes.secret": "there are no Kubernetes secrets: an optional one is left out, any other fails the attempt",
    "volumes.persistent_volume_claim": "there are no claims: the attempt fails",
    "volumes.empty_dir.medium": "the folder lies on the disk",
    "volumes.empty_dir.size_limit": "the folder's size is not limited",
    **{
        f"{place}security_context.{member}": _NO_KUBERNETES
        for place, members in {
            "": ("run_as_non_root", "seccomp_profile", "fs_group"),
            "containers.": ("allow_privilege_escalation", "run_as_non_root", "capabilities", "seccomp_profile"),
            "init_containers.": ("allow_privilege_escalation", "run_as_non_root", "capabilities", "seccomp_profile"),
        }.items()
        for member in members
    },
}
_OF_NODES = {
    "node_range_properties.instance_types": "hosts are chosen by what is free on them",
    "node_range_properties.container.instance_type": "hosts are chosen by what is free on them",
}


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
    environments = [load_environment(reader, spec.scope, name) for name in names]
    used = dict.fromkeys(environment.engine for environment in environments if environment is not None)
    return [
        Unhonoured(engine=name, setting=setting, text=text)
        for name in used
        if name in engines
        for setting, text in _gaps(spec, engines[name].capabilities).items()
    ]


def _gaps(spec: JobSpec, engine: Capabilities) -> dict[str, str]:
    """What holds of every job first; an engine's own words on a setting come in place of ours."""
    containers = {id(each): each for node in workload_of(spec).nodes for each in node.containers}.values()
    gaps: dict[str, str] = {}
    if not engine.uses_images:
        used = dict.fromkeys(each.properties.image for each in containers if each.properties.image)
        images = f"the image {', '.join(used)} is not used; " if used else ""
        gaps["image"] = f"{images}the command runs as a plain process of the machine"
        gaps["isolation"] = "processes of one user can reach each other and each other's files: no security boundary"
    if not engine.enforces_memory:
        gaps[_REQUIREMENTS["memory"]] = (
            f"{spec.resources.memory_mib} MiB count when jobs are placed, but nothing holds the job to them, and an "
            "end for lack of memory is not told apart from others"
        )
    for path, reason in engine.ignored_settings.items():
        asking = [each.name for each in containers if _is_asked_for(each.properties, path)]
        if asking:
            named = f" (of {', '.join(dict.fromkeys(asking))})" if len(asking) < len(containers) else ""
            gaps[_api_name(path)] = reason + named
    gaps |= _log_gaps(containers)
    if spec.task_tags and not engine.bears_tags:
        gaps["propagateTags"] = "tags stay with the job; what this engine starts for it bears none of them"
    if spec.training is not None:
        return gaps | _training_gaps(spec, spec.training, engine)
    return gaps | _gaps_of_form(spec.form, engine)


def _training_gaps(spec: JobSpec, training: TrainingRequest, engine: Capabilities) -> dict[str, str]:
    """Instances are given as much of this machine as it has; trainings beside each other share it as other jobs do."""
    asked = [INSTANCE_TYPES[group.instance_type] for group in training.instance_groups]
    count = training.instance_count
    given = Resources(vcpu_milli=spec.resources.vcpu_milli // count, memory_mib=spec.resources.memory_mib // count)
    most = Resources(
        vcpu_milli=max(each.vcpu_milli for each in asked), memory_mib=max(each.memory_mib for each in asked)
    )
    gaps = training_gaps(training, engine)
    if most.fits(given):
        return gaps
    names = ", ".join(dict.fromkeys(group.instance_type for group in training.instance_groups))
    each = "it is" if count == 1 else f"each of the {count} instances is"
    return gaps | {
        "ResourceConfig.InstanceType": f"{names} has {amounts(most)}, more than this machine can give: {each} given "
        f"{amounts(given)}"
    }


def _gaps_of_form(form: Form, engine: Capabilities) -> dict[str, str]:
    """Members of forms other than the plain one that are kept and shown, and have no effect on the engine."""
    match form:
        case ContainerProperties():
            return {}
        case EcsProperties():
            return _held("taskProperties.", form.task, _OF_TASKS)
        case EksProperties():
            texts = {path: why for path, why in _OF_PODS.items() if path.rpartition(".")[2] not in engine.pod_members}
            return _held("podProperties.", form.pod_properties, texts) | _unlimited_folders(form.pod_properties)
        case NodeProperties():
            gaps = _held("", form, _OF_NODES)
            for each in form.node_range_properties:
                gaps |= _gaps_of_form(each.form, engine)
            return gaps
        case _:
            assert_never(form)


def _unlimited_folders(pod: EksPodProperties) -> dict[str, str]:
    """No engine limits what lies on a disk."""
    named = [v.name for v in pod.volumes if v.empty_dir and v.empty_dir.size_limit and v.empty_dir.medium != "Memory"]
    why = f"the size of a folder on the disk is not limited (of {', '.join(named)})"
    return {"podProperties.volumes.emptyDir.sizeLimit": why} if named else {}


def _held(where: str, record: object, texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{where}{_api_name(path)}": text for path, text in texts.items() if _holds(record, path)}


def _log_gaps(containers: Iterable[WorkContainer]) -> Mapping[str, str]:
    """Of awslogs, what names group and stream is honoured; of json-file, nothing needs to be."""
    gaps: dict[str, str] = {}
    for container in containers:
        configuration = container.properties.log_configuration
        if configuration is None:
            continue
        if configuration.log_driver == "json-file":
            gaps["logConfiguration"] = "output goes to the logs of this server, and has no file of its own"
        for option in configuration.options.keys() & _UNHONOURED_LOG_OPTIONS.keys():
            gaps[f"logConfiguration.options.{option}"] = _UNHONOURED_LOG_OPTIONS[option]
    return gaps


def _is_asked_for(container: ContainerProperties, path: str) -> bool:
    """Whether a container sets `path`, attribute names joined by dots, to something that would have an effect."""
    if path in _REQUIREMENTS:
        return True
    return _holds(container, path)


def _holds(record: object, path: str) -> bool:
    values: list[object] = [record]
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
