"""Scheduling policies, the queues that use them and the jobs in those: golden answers and refusals."""

from typing import Any

import pytest

from longshore.domain.queue import Instant, ShareUse
from tests.api.batch_service import Batch

FAIR = {
    "shareDecaySeconds": 3600,
    "computeReservation": 50,
    "shareDistribution": [
        {"shareIdentifier": "TeamA*", "weightFactor": 0.125},
        {"shareIdentifier": "TeamB", "weightFactor": 1.5},
    ],
}


def fair_queue(batch: Batch, name: str = "fair", **policy: Any) -> str:
    """A fair-share queue; returns the ARN of its policy."""
    arn = batch.create_scheduling_policy(name=f"policy-{name}", **policy)["arn"]
    batch.queue(name, schedulingPolicyArn=arn)
    batch.definition()
    return arn


def test_a_policy_is_described_as_it_was_created(batch: Batch) -> None:
    arn = batch.arn("scheduling-policy", "p")
    answer = batch.create_scheduling_policy(name="p", fairsharePolicy=FAIR, tags={"team": "science"})
    assert answer == {"name": "p", "arn": arn}
    assert batch.describe_scheduling_policies(arns=[arn, batch.arn("scheduling-policy", "no")]) == {
        "schedulingPolicies": [{"name": "p", "arn": arn, "fairsharePolicy": FAIR, "tags": {"team": "science"}}]
    }
    assert batch.list_scheduling_policies() == {"schedulingPolicies": [{"arn": arn}]}


def test_what_is_left_out_has_its_default(batch: Batch) -> None:
    arn = batch.create_scheduling_policy(name="p")["arn"]
    (described,) = batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    assert described["fairsharePolicy"] == {"shareDecaySeconds": 0, "computeReservation": 0, "shareDistribution": []}
    policy = {"shareDistribution": [{"shareIdentifier": "a"}]}
    batch.update_scheduling_policy(arn=arn, fairsharePolicy=policy)
    (described,) = batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    assert described["fairsharePolicy"]["shareDistribution"] == [{"shareIdentifier": "a", "weightFactor": 1.0}]


def test_an_update_replaces_the_whole_policy(batch: Batch) -> None:
    arn = batch.create_scheduling_policy(name="p", fairsharePolicy=FAIR)["arn"]
    assert batch.update_scheduling_policy(arn=arn, fairsharePolicy={"computeReservation": 1}) == {}
    (described,) = batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    assert described["fairsharePolicy"] == {"shareDecaySeconds": 0, "computeReservation": 1, "shareDistribution": []}
    refusal = batch.refusal("update_scheduling_policy", arn=batch.arn("scheduling-policy", "no"), fairsharePolicy={})
    assert refusal == f"{batch.arn('scheduling-policy', 'no')} does not exist"


def test_the_kind_is_fixed_for_life(batch: Batch) -> None:
    quota = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = batch.create_scheduling_policy(name="p", quotaSharePolicy=quota)["arn"]
    (described,) = batch.describe_scheduling_policies(arns=[arn])["schedulingPolicies"]
    assert described == {"name": "p", "arn": arn, "quotaSharePolicy": quota, "tags": {}}
    refusal = batch.refusal("update_scheduling_policy", arn=arn, fairsharePolicy=FAIR)
    assert refusal == "W: The kind of a scheduling policy cannot be changed"
    refusal = batch.refusal("create_scheduling_policy", name="q", fairsharePolicy=FAIR, quotaSharePolicy=quota)
    assert refusal == "W: fairsharePolicy and quotaSharePolicy cannot both be set"


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ({"shareDecaySeconds": -1}, "shareDecaySeconds should be between 0 and 604800, got -1"),
        ({"shareDecaySeconds": 604801}, "shareDecaySeconds should be between 0 and 604800, got 604801"),
        ({"computeReservation": 100}, "computeReservation should be between 0 and 99, got 100"),
        (
            {"shareDistribution": [{"shareIdentifier": "a", "weightFactor": 0.00009}]},
            "weightFactor should be between 0.0001 and 999.9999, got 9e-05",
        ),
        (
            {"shareDistribution": [{"shareIdentifier": "a", "weightFactor": 1000.0}]},
            "weightFactor should be between 0.0001 and 999.9999, got 1000",
        ),
        (
            {"shareDistribution": [{"shareIdentifier": "a b"}]},
            "A shareIdentifier should be 1 to 255 letters, digits, dots, hyphens and underscores",
        ),
        (
            {"shareDistribution": [{"shareIdentifier": each} for each in ("TeamA1", "b", "TeamA*")]},
            "shareIdentifiers of shareDistribution cannot overlap: TeamA* and TeamA1",
        ),
        (
            {"shareDistribution": [{"shareIdentifier": each} for each in ("Team*", "TeamA*")]},
            "shareIdentifiers of shareDistribution cannot overlap: Team* and TeamA*",
        ),
        (
            {"shareDistribution": [{"shareIdentifier": each} for each in ("a", "b", "a")]},
            "shareIdentifiers of shareDistribution cannot overlap: a and a",
        ),
        (
            {"shareDistribution": [{"shareIdentifier": f"s{number}-"} for number in range(501)]},
            "shareDistribution cannot have more than 500 entries, got 501",
        ),
    ],
)
def test_creation_refuses(batch: Batch, policy: dict[str, Any], text: str) -> None:
    assert batch.refusal("create_scheduling_policy", name="p", fairsharePolicy=policy) == f"W: {text}"
    assert batch.list_scheduling_policies() == {"schedulingPolicies": []}


def test_a_name_is_taken_once_and_must_be_one(batch: Batch) -> None:
    batch.create_scheduling_policy(name="p")
    assert batch.refusal("create_scheduling_policy", name="p") == "W: Object already exists"
    refusal = batch.refusal("create_scheduling_policy", name="a b")
    assert refusal.startswith("W: Scheduling policy name should match valid pattern")


def test_policies_are_known_by_arn_alone(batch: Batch) -> None:
    for operation, members in (
        ("describe_scheduling_policies", {"arns": ["p"]}),
        ("update_scheduling_policy", {"arn": "p"}),
        ("delete_scheduling_policy", {"arn": "p"}),
    ):
        assert batch.refusal(operation, **members) == "W: p is not the ARN of a scheduling policy"


def test_lists_are_paged(batch: Batch) -> None:
    for name in "cab":
        batch.create_scheduling_policy(name=name)
    pages = list(batch.client.get_paginator("list_scheduling_policies").paginate(PaginationConfig={"PageSize": 2}))
    found = [[each["arn"].rpartition("/")[2] for each in page["schedulingPolicies"]] for page in pages]
    assert found == [["a", "b"], ["c"]]


def test_a_policy_in_use_is_not_deleted(batch: Batch) -> None:
    arn = fair_queue(batch)
    refusal = batch.refusal("delete_scheduling_policy", arn=arn)
    assert refusal == "Cannot delete, the scheduling policy is used by job queue fair"
    batch.update_job_queue(jobQueue="fair", state="DISABLED")
    batch.delete_job_queue(jobQueue="fair")
    assert batch.delete_scheduling_policy(arn=arn) == {}
    assert batch.describe_scheduling_policies(arns=[arn]) == {"schedulingPolicies": []}
    assert batch.delete_scheduling_policy(arn=arn) == {}, "an unknown policy is no error"


def test_tags_of_a_policy(batch: Batch) -> None:
    arn = batch.create_scheduling_policy(name="p", tags={"a": "1"})["arn"]
    batch.tag_resource(resourceArn=arn, tags={"b": "2"})
    batch.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"b": "2"}}


def test_a_policy_can_be_replaced_but_not_given_later(batch: Batch) -> None:
    first = fair_queue(batch)
    second = batch.create_scheduling_policy(name="second")["arn"]
    assert batch.describe_job_queues(jobQueues=["fair"])["jobQueues"][0]["schedulingPolicyArn"] == first
    batch.update_job_queue(jobQueue="fair", schedulingPolicyArn=second)
    batch.update_job_queue(jobQueue="fair", priority=7)
    assert batch.describe_job_queues(jobQueues=["fair"])["jobQueues"][0]["schedulingPolicyArn"] == second
    unknown = batch.arn("scheduling-policy", "no")
    refusal = batch.refusal("update_job_queue", jobQueue="fair", schedulingPolicyArn=unknown)
    assert refusal == f"{unknown} does not exist"
    batch.queue("fifo", "ce")
    refusal = batch.refusal("update_job_queue", jobQueue="fifo", schedulingPolicyArn=first)
    assert refusal == "W: A job queue that was created without a scheduling policy cannot be given one"


def test_jobs_of_a_fair_share_queue_name_a_share(batch: Batch) -> None:
    fair_queue(batch)
    batch.definition("urgent", schedulingPriority=5)
    members = {"jobName": "j", "jobQueue": "fair", "jobDefinition": "urgent"}
    assert batch.refusal("submit_job", **members) == (
        "A shareIdentifier is required to submit a job to a job queue with a fair share scheduling policy."
    )
    refusal = batch.refusal("submit_job", **members, shareIdentifier="a/b")
    assert refusal == "W: A shareIdentifier should be 1 to 255 letters, digits, dots, hyphens and underscores"
    refusal = batch.refusal("submit_job", **members, shareIdentifier="a", schedulingPriorityOverride=10_000)
    assert refusal == "W: schedulingPriorityOverride should be between 0 and 9999, got 10000"
    plain = batch.submit_job(**members, shareIdentifier="TeamA-1")["jobId"]
    first = batch.submit_job(**members, shareIdentifier="a", schedulingPriorityOverride=0)["jobId"]
    shown = [(batch.job(each)["shareIdentifier"], batch.job(each)["schedulingPriority"]) for each in (plain, first)]
    assert shown == [("TeamA-1", 5), ("a", 0)]
    listed = batch.list_jobs(
        jobQueue="fair", jobStatus="SUBMITTED", filters=[{"name": "SHARE_IDENTIFIER", "values": ["a"]}]
    )
    assert [each["shareIdentifier"] for each in listed["jobSummaryList"]] == ["a"]


def test_jobs_of_a_fifo_queue_name_none(batch: Batch) -> None:
    batch.queue()
    batch.definition(schedulingPriority=5)
    for members in ({"shareIdentifier": "a"}, {"schedulingPriorityOverride": 1}):
        refusal = batch.refusal("submit_job", jobName="j", jobQueue="queue", jobDefinition="definition", **members)
        assert refusal == (
            "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share "
            "scheduling policy."
        )
    assert "schedulingPriority" not in batch.job(batch.submit())


def test_a_queue_has_at_most_500_active_shares(batch: Batch) -> None:
    """One that was active a while ago counts until the policy's window has passed."""
    fair_queue(batch)
    now = Instant(at=batch.clock.now(), boot_id="b", boot_seconds=1.0)
    uses = [
        ShareUse(scope=batch.scope, queue_name="fair", share_identifier=f"s{number}", milli_seconds=1.0, at=now)
        for number in range(499)
    ]
    batch.write(lambda tx: tx.save_share_uses(uses))
    batch.submit(queue="fair", shareIdentifier="last")
    batch.submit(queue="fair", shareIdentifier="last")
    batch.submit(queue="fair", shareIdentifier="s7")
    members = {"jobName": "j", "jobQueue": "fair", "jobDefinition": "definition", "shareIdentifier": "one-more"}
    assert batch.refusal("submit_job", **members) == "A job queue cannot have more than 500 active share identifiers"
    batch.clock.jump_wall(600)
    batch.submit_job(**members)
