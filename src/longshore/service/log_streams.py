"""Where the output of an attempt is read."""

from collections.abc import Mapping

from longshore.domain.ids import AttemptId
from longshore.domain.job import JobSpec

DEFAULT_LOG_GROUP = "/aws/batch/job"
_LONGEST_PREFIX = 200


def log_stream(spec: JobSpec, attempt_id: AttemptId) -> tuple[str, str]:
    """Log group and stream of an attempt. Source: AWS Batch user guide, awslogs log driver."""
    configuration = spec.single_container.log_configuration
    options: Mapping[str, str] = configuration.options if configuration else {}
    prefix = options.get("awslogs-stream-prefix") or spec.definition.rpartition(":")[0][:_LONGEST_PREFIX]
    return options.get("awslogs-group") or DEFAULT_LOG_GROUP, f"{prefix}/default/{attempt_id}"
