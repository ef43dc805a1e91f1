"""Identifiers and ARNs: what is one, and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import Arn, JobId, Scope, is_attempt_id, parse_arn, parse_job_id, resource_name

HERE = Scope(account_id="123456789012", region="eu-west-1")
UUID = "0fa04d4c-8d5c-4a4e-9bd7-1c1a7a0b4a51"


@given(uuid=st.uuids().map(str), index=st.none() | st.integers(0, 9999))
def test_job_ids_are_read_as_they_are_written(uuid: str, index: int | None) -> None:
    """Both forms."""
    job_id = JobId(uuid=uuid, index=index)
    assert parse_job_id(str(job_id)) == job_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job",
        UUID.upper(),
        UUID[:-1],
        UUID + "0",
        UUID + ":",
        UUID + ":-1",
        UUID + ":01",
        UUID + ":1:2",
        UUID + ":1 ",
        UUID + "\n",
        UUID + ":1\n",
        UUID + ":\u0663",
        UUID + "#-1",
        UUID + "#01",
        UUID + ":1#0",
        UUID.replace("-", ""),
        f"arn:aws:batch:eu-west-1:123456789012:job/{UUID}",
    ],
)
def test_what_is_no_job_id(text: str) -> None:
    """Clients send anything; only the exact forms are ids."""
    assert parse_job_id(text) is None


@given(number=st.integers(0, 16**32 - 1))
def test_attempt_ids(number: int) -> None:
    """32 lower-case hex digits."""
    assert is_attempt_id(f"{number:032x}")


@pytest.mark.parametrize("text", ["", "f" * 31, "f" * 33, "F" * 32, "g" * 32, "f" * 32 + "\n", "../" + "f" * 29])
def test_what_is_no_attempt_id(text: str) -> None:
    """What is one is safe as a file name, so nothing else may pass."""
    assert not is_attempt_id(text)


@given(
    kind=st.sampled_from(["job", "job-queue", "compute-environment", "job-definition"]),
    resource=st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="-_:/#"), min_size=1),
)
def test_arns_are_read_as_they_are_written(kind: str, resource: str) -> None:
    """A scope writes them, `parse_arn` takes them apart."""
    assert parse_arn(HERE.arn(kind, resource)) == Arn(scope=HERE, kind=kind, resource=resource)


def test_arn_of_a_child() -> None:
    """Its resource is the child's id."""
    arn = parse_arn(HERE.arn("job", f"{UUID}:3"))
    assert arn is not None
    assert parse_job_id(arn.resource) == JobId(uuid=UUID, index=3)


@pytest.mark.parametrize(
    "text",
    [
        "queue",
        "arn:aws:batch",
        "arn:aws:ecs:eu-west-1:123456789012:cluster/x",
        "arn:aws:batch:eu-west-1:1234:job-queue/x",
        "arn:aws:batch:eu-west-1:12345678901\u0663:job-queue/x",
        "arn:aws:batch:eu-west-1:123456789012:job-queue/",
        "arn:aws:batch:eu-west-1:123456789012:job-queue",
        "arn:aws:batch:EU:123456789012:job-queue/x",
        "x:arn:aws:batch:eu-west-1:123456789012:job-queue/x",
    ],
)
def test_what_is_no_batch_arn(text: str) -> None:
    """Other services, other forms."""
    assert parse_arn(text) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("queue", "queue"),
        ("arn:aws:batch:eu-west-1:123456789012:job-queue/queue", "queue"),
        ("arn:aws:batch:us-east-1:123456789012:job-queue/queue", None),
        ("arn:aws:batch:eu-west-1:000000000000:job-queue/queue", None),
        ("arn:aws:batch:eu-west-1:123456789012:compute-environment/queue", None),
        ("arn:aws:sqs:eu-west-1:123456789012:queue", None),
    ],
)
def test_name_or_arn(text: str, name: str | None) -> None:
    """A name is itself; an ARN gives its name when it is of this kind, account and region."""
    assert resource_name(text, "job-queue", HERE) == name
