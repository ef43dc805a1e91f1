"""Tags on start deadlines and budgets: how they are written, and what is told of them."""

import pytest

from longshore.domain.retry import OnOom
from tests.api.batch_service import Batch

ON_OOM = (
    "should be a factor such as x2 or x1.5, or more MiB such as +1024, and may end with the most MiB to ask for, "
    "such as x2 max=32768; got "
)
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
        *(("longshore:on-oom", text, f"{ON_OOM}{text!r}") for text in ("", "2", "double", "x", "x-1", "+", "x2max=9")),
        *(("longshore:on-oom", text, f"{ON_OOM}{text!r}") for text in ("x2 max=", "x2 max=1 max=2", "x2+1024", "x2 ")),
        ("longshore:on-oom", "x1.0", "should raise the memory: a factor above 1 or at least +1, got 'x1.0'"),
        ("longshore:on-oom", "x0.5", "should raise the memory: a factor above 1 or at least +1, got 'x0.5'"),
        ("longshore:on-oom", "+0", "should raise the memory: a factor above 1 or at least +1, got '+0'"),
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


@pytest.mark.parametrize(
    ("text", "on_oom"),
    [
        ("x2", OnOom(factor_milli=2000)),
        ("x1.5 max=32768", OnOom(factor_milli=1500, most_mib=32_768)),
        ("+1024", OnOom(plus_mib=1024)),
        ("+1 max=4096", OnOom(plus_mib=1, most_mib=4096)),
    ],
)
def test_more_memory_after_a_kill_for_lack_of_it(batch: Batch, text: str, on_oom: OnOom) -> None:
    batch.queue()
    batch.definition(tags={"longshore:on-oom": text}, retryStrategy={"attempts": 2})
    batch.submit()
    (job,) = batch.read(lambda reader: reader.submitted_jobs(9))
    assert job.spec.powers.on_oom == on_oom


def test_memory_that_could_never_be_raised_is_refused(batch: Batch) -> None:
    """Of the submission as a whole, for a definition may have the tag and a submission the attempts."""
    batch.queue()
    batch.definition(tags={"longshore:on-oom": "x2"})
    told = batch.refusal("submit_job", **REQUEST)
    assert "longshore:on-oom needs a retryStrategy with at least 2 attempts" in told
    retry = {"retryStrategy": {"attempts": 2}}
    told = batch.refusal("submit_job", tags={"longshore:on-oom": "x2 max=4"}, **retry, **REQUEST)
    assert "longshore:on-oom should have a max above the " in told
    batch.submit(**retry)
