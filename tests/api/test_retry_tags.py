"""Tags on start deadlines and budgets: how they are written, and what is told of them."""

import pytest

from tests.api.batch_service import Batch

REQUEST = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition"}


@pytest.mark.parametrize(
    ("tag", "value", "told"),
    [
        ("longshore:start-deadline", "soon", "should be a whole number of seconds from 1 to 31622400, got 'soon'"),
        ("longshore:start-deadline", "0", "should be a whole number of seconds from 1 to 31622400, got '0'"),
        ("longshore:start-deadline", "1.5", "should be a whole number of seconds from 1 to 31622400, got '1.5'"),
        ("longshore:start-deadline", "9" * 40, "should be a whole number of seconds from 1 to 31622400"),
        ("longshore:host-retries", "-1", "should be a whole number from 0 to 1000, got '-1'"),
        ("longshore:host-retries", "", "should be a whole number from 0 to 1000, got ''"),
    ],
)
def test_what_is_malformed_is_refused(batch: Batch, tag: str, value: str, told: str) -> None:
    """By submissions and by definitions, which may bear the tags for all their jobs."""
    batch.queue()
    batch.definition()
    assert f"{tag} {told}" in batch.refusal("submit_job", tags={tag: value}, **REQUEST)
    container = {"image": "busybox", "command": ["true"]}
    form = {"jobDefinitionName": "b", "type": "container", "containerProperties": container}
    assert f"{tag} {told}" in batch.refusal("register_job_definition", tags={tag: value}, **form)


def test_tags_of_the_submission_win_over_those_of_its_definition(batch: Batch) -> None:
    batch.queue()
    batch.definition(tags={"longshore:start-deadline": "60", "longshore:host-retries": "3"})
    batch.submit(tags={"longshore:host-retries": "7"})
    (job,) = batch.read(lambda reader: reader.submitted_jobs(9))
    assert (job.spec.powers.start_deadline_seconds, job.spec.powers.host_retries) == (60, 7)
    assert job.spec.submitted is not None
    assert job.spec.submitted.at == job.created_at
