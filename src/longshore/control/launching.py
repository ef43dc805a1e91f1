"""What a container is given to run with: the job's own, and the variables that Batch sets."""

from longshore.control.ledger import OpenAttempt
from longshore.domain.ids import Scope
from longshore.domain.job import JobSpec
from longshore.ports.engine import ContainerLaunch, LaunchSpec, NodeLaunch
from longshore.ports.logs import AttemptLog, AttemptLogs
from longshore.service.log_streams import DEFAULT_LOG_GROUP, log_stream

#: Of one task, after propagation. Source: AWS Batch service quotas.
MOST_TAGS = 50


def batch_variables(entry: OpenAttempt) -> dict[str, str]:
    """Variables that win over the job's own. Source: AWS Batch user guide, job environment variables."""
    job, attempt, scope = entry.job, entry.attempt, entry.job.spec.scope
    variables = {
        "AWS_BATCH_JOB_ID": str(job.id),
        "AWS_BATCH_JQ_NAME": job.spec.queue_name,
        "AWS_BATCH_CE_NAME": attempt.environment_name,
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
    return variables


async def find_obstacle(spec: JobSpec, logs: AttemptLogs) -> str:
    """Why a container of this job must not be started, as AWS would say it; empty when nothing stands in its way."""
    if len(spec.task_tags) > MOST_TAGS:
        return f"the task would bear {len(spec.task_tags)} tags; it may bear {MOST_TAGS}"
    if spec.single_container.secrets:
        cause = "this server does not resolve secrets yet"
        return f"ResourceInitializationError: unable to pull secrets or registry auth: {cause}"
    configuration = spec.single_container.log_configuration
    if configuration is None or (group := configuration.options.get("awslogs-group")) in (None, DEFAULT_LOG_GROUP):
        return ""
    create = configuration.options.get("awslogs-create-group", "").lower() == "true"
    if await logs.has_group(spec.scope, group, create=create):
        return ""
    return (
        f"ResourceInitializationError: failed to validate logger args: log group {group}: "
        "The specified log group does not exist"
    )


def attempt_log(entry: OpenAttempt) -> AttemptLog:
    """Where the output of an attempt is read."""
    scope: Scope = entry.job.spec.scope
    group, stream = log_stream(entry.job.spec, entry.attempt.attempt_id)
    return AttemptLog(scope=scope, group=group, stream=stream, attempt_id=entry.attempt.attempt_id)


def render_launch(entry: OpenAttempt, logs: AttemptLogs) -> LaunchSpec:
    """The order to an engine to start an attempt."""
    job, attempt, spec = entry.job, entry.attempt, entry.job.spec
    own = {variable.name: variable.value or "" for variable in spec.single_container.environment if variable.name}
    container = ContainerLaunch(
        name="default",
        image=spec.single_container.image or "",
        command=spec.single_container.command,
        environment={**own, **batch_variables(entry)},
        resources=attempt.resources,
        gpu_names=attempt.gpu_names,
        vcpu_is_cap=entry.environment.is_fargate,
        settings=spec.single_container,
        log_path=logs.path(attempt.attempt_id),
    )
    return LaunchSpec(
        attempt_id=attempt.attempt_id,
        job_id=str(job.id),
        tags=spec.task_tags,
        nodes=(NodeLaunch(host_id=attempt.host_id, containers=(container,)),),
    )
