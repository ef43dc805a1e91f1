"""Tags and parameters with our prefix: what is not known is refused by its name, before anything is stored."""

from tests.api.batch_service import Batch

UNKNOWN = "longshore:max-concurrnt"


def test_a_submission_with_an_unknown_name_is_refused(batch: Batch) -> None:
    batch.queue()
    batch.definition()
    request = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition"}
    by_tag = batch.refusal("submit_job", tags={UNKNOWN: "2"}, **request)
    assert f"{UNKNOWN} is not known: names with longshore: among tags of a job may be" in by_tag
    assert "longshore:client-token" in by_tag
    by_parameter = batch.refusal("submit_job", parameters={UNKNOWN: "2"}, **request)
    assert f"{UNKNOWN} is not known: names with longshore: among parameters of SubmitJob may be" in by_parameter
    assert "longshore:override" in by_parameter
    assert batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"] == []


def test_definitions_and_queues_bear_no_unknown_name(batch: Batch) -> None:
    batch.queue()
    arn = batch.definition()
    container = batch.describe_job_definitions()["jobDefinitions"][0]["containerProperties"]
    form = {"jobDefinitionName": "b", "type": "container", "containerProperties": container}
    assert UNKNOWN in batch.refusal("register_job_definition", tags={UNKNOWN: "2"}, **form)
    of_definition = batch.refusal("register_job_definition", parameters={UNKNOWN: "2"}, **form)
    assert f"{UNKNOWN}: names with longshore: are for parameters of SubmitJob" in of_definition
    order = [{"order": 1, "computeEnvironment": "ce"}]
    queue = {"jobQueueName": "other", "priority": 1, "computeEnvironmentOrder": order}
    assert UNKNOWN in batch.refusal("create_job_queue", tags={UNKNOWN: "2"}, **queue)
    for tagged in (arn, batch.arn("job-queue", "queue")):
        assert UNKNOWN in batch.refusal("tag_resource", resourceArn=tagged, tags={UNKNOWN: "2"})
        assert batch.list_tags_for_resource(resourceArn=tagged) == {"tags": {}}


def test_a_queue_says_in_which_order_its_jobs_start(batch: Batch) -> None:
    """By tags that are checked when they are given."""
    batch.queue()
    arn = batch.arn("job-queue", "queue")
    tags = {"longshore:backfill": "greedy", "longshore:age-bound": "3600"}
    batch.tag_resource(resourceArn=arn, tags=tags)
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": tags}
    refused = batch.refusal("tag_resource", resourceArn=arn, tags={"longshore:backfill": "eager"})
    assert "longshore:backfill should be one of easy, greedy, none, got 'eager'" in refused
    for wrong in ("0", "-1", "1.5", "soon", "٣", "9999999999"):
        refused = batch.refusal("tag_resource", resourceArn=arn, tags={"longshore:age-bound": wrong})
        assert "longshore:age-bound should be seconds, a whole number from 1 to" in refused
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": tags}
