"""`longshore:depends-on`: what it may hold, what comes of it, and what is refused."""

import json
from typing import Any

import pytest

from longshore.domain.ids import parse_job_id
from longshore.service.depends_on import DEPENDS_ON
from tests.api.batch_service import Batch

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def after(*entries: dict[str, Any]) -> dict[str, str]:
    return {DEPENDS_ON: json.dumps(entries)}


def edges(batch: Batch, job_id: str) -> set[tuple[int, str | None, str]]:
    parsed = parse_job_id(job_id)
    assert parsed is not None
    key = batch.read(lambda reader: reader.find_jobs(batch.scope, [parsed]))[parsed]
    found = batch.read(lambda reader: reader.edges_of([key]))
    return {(edge.on_key - key, edge.type, edge.when) for edge in found}


def test_entries_become_edges_beside_those_of_depends_on(batch: Batch) -> None:
    """The parameter is shown as it was given, and no command can refer to it."""
    batch.queue()
    batch.definition()
    first, array = batch.submit(), batch.submit(arrayProperties={"size": 2})
    parameters = after({"jobId": first, "when": "failure"}, {"jobId": f"{array}:1", "when": "end"}, {"jobId": array})
    job_id = batch.submit(dependsOn=[{"jobId": first}], parameters=parameters)
    assert edges(batch, job_id) == {
        (-4, None, "success"),
        (-4, None, "failure"),
        (-1, None, "end"),
        (-3, None, "success"),
    }
    job = batch.job(job_id)
    assert job["dependsOn"] == [{"jobId": first}]
    assert job["parameters"] == parameters


def test_arrays_depend_child_by_child(batch: Batch) -> None:
    batch.queue()
    batch.definition()
    array = batch.submit(arrayProperties={"size": 2})
    entries = ({"jobId": array, "type": "N_TO_N", "when": "failure"}, {"type": "SEQUENTIAL", "when": "end"})
    job_id = batch.submit(arrayProperties={"size": 2}, parameters=after(*entries))
    assert edges(batch, job_id) == {(-3, "N_TO_N", "failure"), (0, "SEQUENTIAL", "end")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", 'should be JSON such as [{"jobId": "...", "when": "failure"}]'),
        ('"x"', 'should be a list such as [{"jobId": "...", "when": "failure"}], got "x"'),
        ("[1]", 'longshore:depends-on[0] should be an object such as {"jobId": "...", "when": "failure"}, got 1'),
        ('[{"job": "x"}]', "longshore:depends-on[0] has no member job: it may hold jobId, when, type"),
        ('[{"jobId": 1}]', "longshore:depends-on[0].jobId should be text, got 1"),
        ('[{"when": "end"}]', "longshore:depends-on[0] needs a jobId"),
        ('[{"jobId": "x", "when": "never"}]', 'when should be one of success, failure, end, got "never"'),
        ('[{"jobId": "x", "type": "ALL"}]', 'type should be one of SEQUENTIAL, N_TO_N, got "ALL"'),
        ('[{"jobId": "x"}]', "Job x of longshore:depends-on does not exist"),
        (f'[{{"jobId": "{UNKNOWN}"}}]', f"Job {UNKNOWN} of longshore:depends-on does not exist"),
        ('[{"type": "SEQUENTIAL"}]', "A dependency of type SEQUENTIAL is for array jobs only"),
        (json.dumps([{"jobId": "x"}] * 21), "Job cannot have more than 20 dependencies, longshore:depends-on counted"),
    ],
)
def test_what_is_malformed_is_refused(batch: Batch, text: str, told: str) -> None:
    batch.queue()
    batch.definition()
    request = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition"}
    assert told in batch.refusal("submit_job", parameters={DEPENDS_ON: text}, **request)
    assert batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"] == []


def test_pairs_need_arrays_of_one_size(batch: Batch) -> None:
    batch.queue()
    batch.definition()
    first = batch.submit()
    request = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition", "arrayProperties": {"size": 2}}
    told = batch.refusal("submit_job", parameters=after({"jobId": first, "type": "N_TO_N"}), **request)
    assert f"Job {first} of longshore:depends-on is no array job" in told
