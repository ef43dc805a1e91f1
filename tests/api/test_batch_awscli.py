"""The aws CLI gets the same answers as boto3."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.batch_service import REGION, SMALL, Batch

ENVIRON = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": ""}


def aws(batch: Batch, command: str, *arguments: str) -> Any:
    """What `aws batch COMMAND` prints, as JSON; an error's text when it fails."""
    program = Path(sys.executable).with_name("aws")
    ended = subprocess.run(
        [program, "--endpoint-url", batch.client.meta.endpoint_url, "--output", "json", "batch", command, *arguments],
        env=ENVIRON,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ended.stderr.strip() if ended.returncode else json.loads(ended.stdout or "{}")


@pytest.mark.awscli
@pytest.mark.timeout(180)
def test_the_walk_of_a_job(batch: Batch) -> None:
    aws(batch, "create-compute-environment", "--compute-environment-name", "ce", "--type", "UNMANAGED")
    order = "order=1,computeEnvironment=ce"
    created = aws(
        batch, "create-job-queue", "--job-queue-name", "q", "--priority", "1", "--compute-environment-order", order
    )
    assert created == {"jobQueueName": "q", "jobQueueArn": batch.arn("job-queue", "q")}
    container = json.dumps({"image": "busybox", "command": ["true"], "resourceRequirements": SMALL})
    definition = ["--job-definition-name", "d", "--type", "container", "--container-properties", container]
    arn = batch.arn("job-definition", "d:1")
    registered = aws(batch, "register-job-definition", *definition, "--tags", "a=b,our:x=y")
    assert registered == {"jobDefinitionName": "d", "jobDefinitionArn": arn, "revision": 1}
    aws(batch, "untag-resource", "--resource-arn", arn, "--tag-keys", "a")
    assert aws(batch, "list-tags-for-resource", "--resource-arn", arn) == {"tags": {"our:x": "y"}}
    submission = ["--job-name", "j", "--job-queue", "q", "--job-definition", "d", "--array-properties", "size=2"]
    submitted = aws(batch, "submit-job", *submission)
    assert aws(batch, "describe-jobs", "--jobs", submitted["jobId"]) == {"jobs": [batch.job(submitted["jobId"])]}
    assert aws(batch, "terminate-job", "--job-id", submitted["jobId"], "--reason", "enough") == {}
    refusal = aws(batch, "submit-job", "--job-name", "j", "--job-queue", "other", "--job-definition", "d")
    assert "(ClientException) when calling the SubmitJob operation: JobQueue other not found." in refusal
