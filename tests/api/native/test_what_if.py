"""What would become of a job if it were submitted: asked with the request of SubmitJob, and nothing is submitted."""

from typing import Any

import pytest

from longshore.domain.container import ContainerOverrides, ResourceRequirement
from longshore.service.forecasts import Forecasts
from longshore.service.submit import Submission
from longshore.service.what_if import WhatIfs
from longshore.testing.forms import some_nodes
from longshore.testing.job_builders import A_SCOPE, a_definition, a_job, a_queue, an_environment
from tests.api.native.native_desk import Desk
from tests.api.native.test_predictions import learn, running, seconds_from


async def define(desk: Desk, **values: Any) -> None:
    await desk.store.write(lambda tx: tx.put_definition(a_definition(**values)))


def a_request(*, vcpu: int = 1, **members: Any) -> dict[str, Any]:
    needs = {"VCPU": vcpu, "MEMORY": 128}
    requirements = [{"type": kind, "value": str(value)} for kind, value in needs.items()]
    overrides = {"containerOverrides": {"resourceRequirements": requirements}}
    return {"jobName": "new", "jobQueue": "queue", "jobDefinition": "definition", **overrides, **members}


async def test_a_job_that_has_room_would_start_at_once_and_delay_nobody(desk: Desk) -> None:
    """And it is not submitted."""
    await define(desk)
    told = await desk.send("what-if", a_request())
    assert told["summary"] == (
        "it would start at once, in compute environment environment on host local; it would delay no other job"
    )
    assert (told["start"]["environment"], told["start"]["hosts"]) == ("environment", ["local"])
    assert (told["waitsFor"], told["delays"], told["position"]["ahead"]) == ([], [], 0)
    assert (await desk.ask("jobs"))["jobs"] == []


async def test_a_job_without_room_is_told_when_and_whose_end_makes_it(desk: Desk) -> None:
    """With an error bar."""
    await define(desk)
    await learn(desk)
    runs = await running(desk, a_job().needing(vcpu=4))
    told = await desk.send("what-if", a_request(vcpu=2))
    start = told["start"]
    assert start["earliest"] < start["at"] < start["latest"]
    assert told["summary"].startswith("it would start about 12:")
    (cause,) = told["waitsFor"]
    assert cause["text"] == "compute environment environment: host local: asks 2 vCPU, free 0 vCPU of 4 vCPU"
    assert cause["remedy"].startswith(f"fits when job {runs.uuid} ends, about 12:")


async def test_who_would_be_delayed_is_named_with_how_long(desk: Desk) -> None:
    """An urgent queue delays what waits in another: of an array the child that it delays most."""
    await define(desk)
    await desk.put(queue=a_queue("urgent", priority=7))
    await learn(desk, seconds=100)
    await running(desk, a_job().needing(vcpu=4))
    waiting = await desk.submit(a_job().named("late").needing(vcpu=4).array(2))
    told = await desk.send("what-if", a_request(vcpu=4, jobQueue="urgent"))
    (delay,) = told["delays"]
    assert (delay["jobId"], delay["name"], delay["jobs"], told["delayedJobs"]) == (waiting.uuid, "late", 2, 2)
    assert 60 < delay["seconds"] < 140
    assert delay["seconds"] <= delay["atMostSeconds"]
    assert delay["text"].startswith("about 1 min ")
    assert told["summary"].endswith("it would delay 2 jobs")
    behind = await desk.send("what-if", a_request(vcpu=4))
    assert (behind["delays"], behind["position"]["ahead"]) == ([], 2)


async def test_jobs_of_other_accounts_are_counted_and_not_named(desk: Desk) -> None:
    await define(desk)
    await desk.put(queue=a_queue("urgent", priority=7))
    await learn(desk, seconds=100)
    await running(desk, a_job().needing(vcpu=4))
    await desk.submit(a_job().needing(vcpu=4))
    what_ifs = WhatIfs(desk.store, desk.services.submissions, Forecasts(desk, desk.clock))
    needs = (ResourceRequirement(type="VCPU", value="4"), ResourceRequirement(type="MEMORY", value="128"))
    submission = Submission(
        name="new",
        queue="urgent",
        definition="definition",
        container_overrides=ContainerOverrides(resource_requirements=needs),
        size_bytes=100,
    )
    for account_id, named in (("000000000000", 1), ("111122223333", 0)):
        told = await what_ifs.answer(A_SCOPE, submission, account_id=account_id)
        assert (len(told.delays), told.delayed_jobs) == (named, 1)


async def test_how_long_nobody_can_know_is_said(desk: Desk) -> None:
    """Of a definition of which nothing has ended so far."""
    await define(desk)
    await desk.put(queue=a_queue("urgent", priority=7))
    await running(desk, a_job().needing(vcpu=4).limited_to(60))
    await desk.submit(a_job().needing(vcpu=4).limited_to(60))
    told = await desk.send("what-if", a_request(vcpu=4, jobQueue="urgent"))
    (delay,) = told["delays"]
    assert (delay["seconds"], delay["atMostSeconds"]) == (None, None)
    assert delay["text"].startswith("how late it may be is unknown: no job of job definition definition has ended")


async def test_an_array_is_told_its_first_child_and_its_last(desk: Desk) -> None:
    await define(desk)
    await learn(desk, seconds=100)
    told = await desk.send("what-if", a_request(vcpu=4, arrayProperties={"size": 3}))
    assert told["start"]["text"].startswith("at once")
    assert 160 < seconds_from(told["start"]["at"], told["lastStart"]["at"]) < 240


async def test_children_in_sequence_start_one_by_one(desk: Desk) -> None:
    """Although there is room for all."""
    await define(desk)
    await learn(desk, seconds=100)
    request = a_request(arrayProperties={"size": 3}, dependsOn=[{"type": "SEQUENTIAL"}])
    told = await desk.send("what-if", request)
    assert told["start"]["text"].startswith("at once")
    assert 160 < seconds_from(told["start"]["at"], told["lastStart"]["at"]) < 240


async def test_a_dependency_is_waited_for(desk: Desk) -> None:
    """Also child by child."""
    await define(desk)
    await learn(desk, seconds=100)
    first = await running(desk, a_job())
    array = await desk.submit(a_job().array(2).after(first.key))
    for depends_on in ([{"jobId": first.uuid}], [{"jobId": array.uuid, "type": "N_TO_N"}]):
        size = {"arrayProperties": {"size": 2}} if "type" in depends_on[0] else {}
        told = await desk.send("what-if", a_request(dependsOn=depends_on, **size))
        assert told["waitsFor"][0]["jobId"] == depends_on[0]["jobId"]
        assert 80 < seconds_from((await desk.explain(first.uuid))["since"], told["start"]["at"]) < 300
        assert told["position"] is None


async def test_a_dependency_that_has_failed_is_never_met(desk: Desk) -> None:
    await define(desk)
    first = await desk.submit(a_job())
    await desk.end(first.uuid, 1)
    told = await desk.send("what-if", a_request(dependsOn=[{"jobId": first.uuid}]))
    assert told["waitsFor"][0]["text"] == f"depends on job {first.uuid} (job), which is FAILED"
    assert told["start"]["at"] is None
    assert "never" in told["summary"]


async def test_a_gang_is_told_all_its_hosts(desk: Desk) -> None:
    """And waits until there is room for all its nodes."""
    await define(desk, type="multinode", container=None, node_properties=some_nodes(2))
    request = {"jobName": "gang", "jobQueue": "queue", "jobDefinition": "definition"}
    told = await desk.send("what-if", request)
    assert told["start"]["hosts"] == ["local"]
    assert told["asked"]["vcpus"] == 2


async def test_what_can_never_start_is_told_its_remedy(desk: Desk) -> None:
    await define(desk)
    await desk.put(environment=an_environment("small", engine="fake", max_vcpus=1), queue=a_queue("small", "small"))
    await desk.settle()
    told = await desk.send("what-if", a_request(vcpu=2, jobQueue="small"))
    assert [each["remedy"] for each in told["waitsFor"]] == ["raise its maxvCpus to 2 or more, or ask for less"]
    assert "never, as things are" in told["summary"]


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"jobQueue": "nowhere"}, 404, "JobQueue nowhere not found."),
        ({"jobDefinition": "nothing"}, 404, ""),
        ({"jobName": "a b"}, 400, ""),
        ({"jobName": None}, 400, "jobName: expected `str`, got `null`"),
        ({"arrayProperties": {"size": 1}}, 400, "Array size should be between 2 and 10000, got 1"),
        ({"tags": {"longshore:nothing": "1"}}, 400, ""),
        ({"parameters": {"a": "\0"}}, 400, "text with the character U+0000 cannot be given to a program"),
    ],
)
async def test_what_cannot_be_submitted_is_refused_in_the_same_words(
    desk: Desk, changes: dict[str, Any], status: int, message: str
) -> None:
    """As those of a submission."""
    await define(desk)
    refused = await desk.refused_body("what-if", a_request(**changes))
    assert refused == await desk.refused_body("jobs", a_request(**changes))
    assert refused[0] == status
    assert message in refused[1]


async def test_a_submission_is_stored_in_the_region_that_is_named(desk: Desk) -> None:
    """That of the server where none is."""
    await define(desk)
    told = await desk.send("jobs", a_request())
    await desk.settle()
    assert told["jobArn"] == f"arn:aws:batch:us-east-1:000000000000:job/{told['jobId']}"
    assert (await desk.explain(told["jobId"]))["status"] == "STARTING"
    assert await desk.refused_body("jobs", a_request(), region="eu-west-1") == (404, "JobQueue queue not found.")
    assert (await desk.refused_body("jobs", a_request(), reason="x"))[0] == 400
