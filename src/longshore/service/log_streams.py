"""Where the output of an attempt is read."""

from collections.abc import Mapping

from longshore.domain.ids import AttemptId, task_id
from longshore.domain.job import JobSpec, Part
from longshore.domain.workload import WorkContainer, workload_of

#: The log driver of jobs whose output is not wanted.
KEEPS_NOTHING = "none"
DEFAULT_LOG_GROUP = "/aws/batch/job"
_LONGEST_PREFIX = 200


def log_stream(spec: JobSpec, attempt_id: AttemptId, part: Part | None = None) -> tuple[str, str]:
    """Log group and stream of an attempt, or of one part of it. Source: AWS Batch user guide, awslogs log driver.

    Containers of one node share the task id at the end; what stands before it is the container's name.
    """
    container = _container(spec, part)
    configuration = container.properties.log_configuration
    options: Mapping[str, str] = configuration.options if configuration else {}
    prefix = options.get("awslogs-stream-prefix") or spec.definition.rpartition(":")[0][:_LONGEST_PREFIX]
    stream = f"{prefix}/{container.name}/{task_id(attempt_id, part.node) if part else attempt_id}"
    return options.get("awslogs-group") or DEFAULT_LOG_GROUP, stream


def keeps_output(spec: JobSpec, part: Part | None = None) -> bool:
    """Whether there is a log stream at all."""
    configuration = _container(spec, part).properties.log_configuration
    return configuration is None or configuration.log_driver != KEEPS_NOTHING


def _container(spec: JobSpec, part: Part | None) -> WorkContainer:
    nodes = workload_of(spec).nodes
    return nodes[part.node].container(part.container) if part else nodes[0].containers[0]
