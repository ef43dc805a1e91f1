"""`longshore submit`: what is sent for which options, and what is shown of the answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.service.causes import Cause
from longshore.service.documents import Amounts, Place, Submitted
from longshore.service.starts import Start
from longshore.service.what_if import Delay, WhatIf
from tests.cli.canned_server import Canned, Run
from tests.unit.cli.documents import JOB

SUBMITTED = Submitted(job_id=JOB, job_name="n", job_arn=f"arn:aws:batch:us-east-1:000000000000:job/{JOB}")
PLACE = Place(account_id="000000000000", region="us-east-1", queue="q")
LATER = Delay(
    job_id=JOB, name="late", place=PLACE, jobs=2, text="about 3 min 0 s later", seconds=180.0, at_most_seconds=200.0
)
TOLD = WhatIf(
    name="n",
    place=PLACE,
    definition="d:1",
    asked=Amounts(vcpus=2, memory_mib=128, gpus=0),
    array_size=5,
    summary="it would start about 12:05Z; it would delay 7 jobs",
    start=Start(text="about 12:05Z"),
    last_start=Start(text="about 12:45Z"),
    waits_for=(Cause(kind="capacity", text="asks 2 vCPU", remedy="fits when job x ends"),),
    delays=(LATER,),
    delayed_jobs=7,
)

OPTIONS: list[tuple[list[str], dict[str, Any]]] = [
    (["--name", "n", "--queue", "q", "--definition", "d:1"], {"jobName": "n", "jobQueue": "q", "jobDefinition": "d:1"}),
    (["--array", "5"], {"arrayProperties": {"size": 5}}),
    (["--parameter", "a=1=2", "--parameter", "b="], {"parameters": {"a": "1=2", "b": ""}}),
    (["--tag", "longshore:backfill=none"], {"tags": {"longshore:backfill": "none"}}),
    (["--", "echo", "-n", "x"], {"containerOverrides": {"command": ["echo", "-n", "x"]}}),
    (["--env", "A=b"], {"containerOverrides": {"environment": [{"name": "A", "value": "b"}]}}),
    (
        ["--vcpus", "2", "--memory", "512", "--gpus", "1"],
        {
            "containerOverrides": {
                "resourceRequirements": [
                    {"type": "VCPU", "value": "2"},
                    {"type": "MEMORY", "value": "512"},
                    {"type": "GPU", "value": "1"},
                ]
            }
        },
    ),
    (["--depends-on", "x", "--depends-on", "y"], {"dependsOn": [{"jobId": "x"}, {"jobId": "y"}]}),
    (["--share", "s", "--priority", "0"], {"shareIdentifier": "s", "schedulingPriorityOverride": 0}),
    (
        ["--attempts", "3", "--timeout", "60"],
        {"retryStrategy": {"attempts": 3}, "timeout": {"attemptDurationSeconds": 60}},
    ),
]


@pytest.mark.parametrize(("options", "request_body"), OPTIONS, ids=lambda value: str(value)[:30])
def test_options_are_members_of_a_request(
    canned: Canned, run: Run, options: list[str], request_body: dict[str, Any]
) -> None:
    """And nothing else is sent, whatever a job would lack: the server says so."""
    canned.put("jobs", SUBMITTED)
    assert run("submit", *options).exit_code == 0
    [(body, token)] = canned.sent
    assert body == request_body
    assert token


def test_options_add_to_a_request(canned: Canned, run: Run, tmp_path: Path) -> None:
    """And come before it, member by member."""
    canned.put("jobs", SUBMITTED)
    request = tmp_path / "request.json"
    overrides = {"command": ["a"], "environment": [{"name": "A", "value": "1"}]}
    request.write_text(json.dumps({"jobName": "old", "tags": {"a": "1", "b": "1"}, "containerOverrides": overrides}))
    assert run("submit", "--request", str(request), "--name", "new", "--tag", "b=2", "--", "c").exit_code == 0
    assert canned.sent[0][0] == {
        "jobName": "new",
        "tags": {"a": "1", "b": "2"},
        "containerOverrides": {**overrides, "command": ["c"]},
    }


def test_the_region_is_that_of_the_tools_of_aws(canned: Canned, run: Run) -> None:
    canned.put("jobs", SUBMITTED)
    run("submit", AWS_DEFAULT_REGION="eu-west-1")
    run("submit", "--region", "eu-west-2", AWS_REGION="eu-west-1")
    assert [arguments["region"] for arguments in canned.arguments()] == [["eu-west-1"], ["eu-west-2"]]


def test_what_is_shown(canned: Canned, run: Run) -> None:
    """To people, to programs, and to scripts."""
    canned.put("jobs", SUBMITTED)
    assert run("submit").stdout == f"Submitted n: {JOB}\n"
    assert run("submit", "-q").stdout == f"{JOB}\n"
    assert json.loads(run("submit", "--json").stdout)["jobId"] == JOB


def test_a_dry_run_submits_nothing(canned: Canned, run: Run) -> None:
    """It says what would become of the job."""
    canned.put("what-if", TOLD)
    told = run("submit", "--dry-run", "--name", "n")
    assert told.exit_code == 0
    assert [path for path, _ in canned.asked] == ["/longshore/what-if"]
    assert canned.sent == [({"jobName": "n"}, None)]
    for text in (
        "n  not submitted",
        "it would start about 12:05Z; it would delay 7 jobs",
        "d:1 in job queue q (us-east-1, account 000000000000), asks 2 vCPU, 128 MiB, 5 children",
        "its last child: about 12:45Z",
        "> fits when job x ends",
        "about 3 min 0 s later (2 of its children)",
        "and 5 other jobs",
    ):
        assert text in told.stdout
    assert run("submit", "--dry-run", "-q").stdout == f"{TOLD.summary}\n"
    assert json.loads(run("submit", "--dry-run", "--json").stdout)["delays"][0]["seconds"] == 180


@pytest.mark.parametrize("text", ["[", "[]", "\udc80"])
def test_a_request_that_is_none(canned: Canned, run: Run, tmp_path: Path, text: str) -> None:
    request = tmp_path / "request.json"
    request.write_bytes(text.encode(errors="surrogateescape"))
    told = run("submit", "--request", str(request))
    assert told.exit_code == 2
    assert "the request is no JSON" in told.stderr
    assert run("submit", "--tag", "nothing").exit_code == 2
    assert canned.asked == []


def test_refusals_are_told_and_have_their_exit_codes(canned: Canned, run: Run) -> None:
    canned.put("jobs", (404, b'{"message": "JobQueue q not found."}'), (400, b'{"message": "jobName is required"}'))
    for code, text in ((1, "JobQueue q not found."), (2, "jobName is required")):
        told = run("submit")
        assert (told.exit_code, text in told.stderr) == (code, True)
