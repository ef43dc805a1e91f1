"""What a container is given to run with: the job's own, and the variables that Batch sets."""

from dataclasses import replace
from hashlib import blake2b
from uuid import UUID

from longshore.control.ledger import OpenAttempt
from longshore.control.provisions import Provision
from longshore.domain.ids import JobId
from longshore.domain.job import Part
from longshore.domain.pods import PodSettings, expand, expand_variables
from longshore.domain.workload import workload_of
from longshore.ports.engine import ContainerLaunch, LaunchSpec, StopRequest
from longshore.ports.logs import AttemptLog, AttemptLogs
from longshore.service.log_events import event_start
from longshore.service.log_streams import DEFAULT_LOG_GROUP, KEEPS_NOTHING, keeps_output, log_stream

#: Of one task, after propagation. Source: AWS Batch service quotas.
MOST_TAGS = 50


def batch_variables(entry: OpenAttempt) -> dict[str, str]:
    """Variables that win over the job's own. Source: AWS Batch user guide, job environment variables."""
    job, attempt, scope = entry.job, entry.attempt, entry.job.spec.scope
    variables = {
        "AWS_BATCH_JOB_ID": str(_id_of(entry)),
        "AWS_BATCH_JQ_NAME": job.spec.queue_name,
        "AWS_BATCH_CE_NAME": entry.environment.name,
        "AWS_BATCH_JOB_ATTEMPT": str(attempt.number),
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE" if entry.environment.is_fargate else "AWS_ECS_EC2",
        "AWS_REGION": scope.region,
        "AWS_DEFAULT_REGION": scope.region,
    }
    if job.id.index is not None:
        variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.id.index)
        variables["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.spec.array_size)
    if attempt.gpu_names:
        variables["NVIDIA_VISIBLE_DEVICES"] = variables["CUDA_VISIBLE_DEVICES"] = ",".join(attempt.gpu_names)
    if job.spec.has_nodes:
        variables |= _node_variables(entry)
    if entry.container.pod is not None:
        uid = UUID(bytes=blake2b(attempt.host_id.encode(), digest_size=16).digest(), version=4)
        variables["AWS_BATCH_JOB_KUBERNETES_NODE_UID"] = str(uid)
    return variables


def _id_of(entry: OpenAttempt) -> JobId:
    """The job's id; of a node that of the node."""
    job, part = entry.job, entry.attempt
    if job.spec.node_properties is None or not isinstance(part, Part):
        return job.id
    return replace(job.id, node=part.node)


def _node_variables(entry: OpenAttempt) -> dict[str, str]:
    """Who the node is and how it reaches the main one. Source: AWS Batch user guide, job environment variables."""
    part, workload = entry.attempt, workload_of(entry.job.spec)
    assert isinstance(part, Part), part
    assert entry.whole is not None, entry
    variables = {
        "AWS_BATCH_JOB_NODE_INDEX": str(part.node),
        "AWS_BATCH_JOB_NUM_NODES": str(len(workload.nodes)),
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": str(workload.main_node),
    }
    if part.address:
        variables["LONGSHORE_NODE_ADDRESS"] = part.address
    if part.node != workload.main_node:
        address = next((p.address for p in entry.whole.parts if p.node == workload.main_node and p.address), "")
        variables["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = address
    return variables


async def find_obstacle(entry: OpenAttempt, logs: AttemptLogs) -> str:
    """Why this container must not be started, as AWS would say it; empty when nothing stands in its way."""
    spec, properties = entry.job.spec, entry.container.properties
    if entry.container.pod is not None and (problem := _unmountable(entry.container.pod)):
        return problem
    if len(spec.task_tags) > MOST_TAGS:
        return f"the task would bear {len(spec.task_tags)} tags; it may bear {MOST_TAGS}"
    configuration = properties.log_configuration
    if configuration is None or configuration.log_driver in ("json-file", KEEPS_NOTHING):
        return ""
    if configuration.log_driver != "awslogs":
        return (
            f"ResourceInitializationError: failed to validate logger args: there is no log driver "
            f"{configuration.log_driver} here; awslogs and json-file keep output in the logs of this server, "
            "none drops it"
        )
    begins = event_start(configuration.options)
    if begins and (problem := logs.refuse_start(begins)):
        return (
            "ResourceInitializationError: failed to validate logger args: awslogs could not parse multiline pattern: "
            f"the expression {problem}"
        )
    if (group := configuration.options.get("awslogs-group")) in (None, DEFAULT_LOG_GROUP):
        return ""
    create = configuration.options.get("awslogs-create-group", "").lower() == "true"
    if await logs.has_group(spec.scope, group, create=create):
        return ""
    return (
        f"ResourceInitializationError: failed to validate logger args: log group {group}: "
        "The specified log group does not exist"
    )


def _unmountable(pod: PodSettings) -> str:
    """Which volume of a pod can't be had here, as Kubernetes would say it; empty when all can."""
    for volume in pod.volumes:
        if volume.secret is not None and not volume.secret.optional:
            return f"FailedMount: volume {volume.name}: secret {volume.secret.secret_name} not found"
        if volume.persistent_volume_claim is not None:
            claim = volume.persistent_volume_claim.claim_name
            return f"FailedMount: volume {volume.name}: persistentvolumeclaim {claim} not found"
    return ""


def attempt_log(entry: OpenAttempt) -> AttemptLog:
    """Where the output of an attempt, or of a part of one, is read."""
    attempt, scope = entry.attempt, entry.job.spec.scope
    part = attempt if isinstance(attempt, Part) else None
    group, stream = log_stream(entry.job.spec, entry.whole_id or attempt.attempt_id, part)
    configuration = entry.container.properties.log_configuration
    begins = event_start(configuration.options) if configuration else ""
    return AttemptLog(
        scope=scope,
        group=group,
        stream=stream,
        attempt_id=attempt.attempt_id,
        event_start=begins,
        is_kept=keeps_output(entry.job.spec, part),
    )


def stop_request(entry: OpenAttempt, grace_seconds: int) -> StopRequest:
    """The order to an engine to stop it; `grace_seconds` holds where the container says nothing."""
    own = entry.container.stop_timeout_seconds
    return StopRequest(handle=entry.handle, grace_seconds=grace_seconds if own is None else own)


def render_launch(entry: OpenAttempt, logs: AttemptLogs, provision: Provision | None = None) -> LaunchSpec:
    """The order to an engine to start an attempt, or a part of one, with what was provided for it."""
    if provision is None:
        provision = Provision(settings=entry.container.properties)
    job, attempt, work = entry.job, entry.attempt, entry.container
    given = {**provision.environment, **batch_variables(entry)}
    own = {variable.name: variable.value or "" for variable in work.properties.environment if variable.name}
    entrypoint, command = work.entrypoint, work.properties.command
    if work.pod is not None:
        own = expand_variables(work.properties.environment, given)
        entrypoint, command = (
            tuple(expand(word, {**own, **given}) for word in words) for words in (entrypoint, command)
        )
    container = ContainerLaunch(
        name=work.name,
        image=work.properties.image or "",
        entrypoint=entrypoint,
        command=command,
        environment={**own, **given},
        resources=attempt.resources,
        gpu_names=attempt.gpu_names,
        vcpu_is_cap=entry.environment.is_fargate,
        settings=provision.settings,
        pod=work.pod,
        folders=provision.folders,
        host_name=provision.host_name,
        registry=provision.registry,
        log_path=logs.path(attempt.attempt_id),
    )
    nodes = workload_of(job.spec).nodes
    node = attempt.node if isinstance(attempt, Part) else 0
    return LaunchSpec(
        attempt_id=attempt.attempt_id,
        job_id=str(job.id),
        whole_id=entry.whole_id,
        node=node,
        node_count=len(nodes),
        container_count=len(nodes[node].containers),
        host_id=attempt.host_id,
        tags=job.spec.task_tags,
        container=container,
    )
