"""Groups and streams: create, describe, delete; golden answers and refusals."""

import sqlite3

import pytest
from botocore.exceptions import ClientError

from longshore.logs.lookup import Lookup
from tests.api.logs.logs_service import ACCOUNT, GROUP, REGION, Logs

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")
BAD_TOKEN = ("InvalidParameterException", "The specified nextToken is invalid.")


def arn(group: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"


def names(logs: Logs, **members: object) -> list[str]:
    pages = logs.client.get_paginator("describe_log_groups").paginate(**members)
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def stream_names(logs: Logs, **members: object) -> list[str]:
    pages = logs.client.get_paginator("describe_log_streams").paginate(**members)
    return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]


def test_a_group_is_created_described_and_deleted(logs: Logs) -> None:
    logs.client.create_log_group(logGroupName="/my/group", tags={"a": "b"})
    (group,) = logs.client.describe_log_groups()["logGroups"]
    assert group.pop("creationTime") > 1_700_000_000_000
    assert group == {
        "logGroupName": "/my/group",
        "metricFilterCount": 0,
        "arn": arn("/my/group") + ":*",
        "logGroupArn": arn("/my/group"),
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
    }
    assert logs.refusal("create_log_group", logGroupName="/my/group") == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    logs.client.put_retention_policy(logGroupName="/my/group", retentionInDays=7)
    assert logs.client.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    assert logs.refusal("put_retention_policy", logGroupName="/my/group", retentionInDays=8)[0] == (
        "InvalidParameterException"
    )
    logs.client.delete_retention_policy(logGroupName="/my/group")
    assert "retentionInDays" not in logs.client.describe_log_groups()["logGroups"][0]
    assert logs.refusal("delete_retention_policy", logGroupName="none") == NO_GROUP
    logs.client.delete_log_group(logGroupName="/my/group")
    assert names(logs) == []
    assert logs.refusal("delete_log_group", logGroupName="/my/group") == NO_GROUP


def test_groups_are_listed_by_prefix_pattern_and_page(logs: Logs) -> None:
    for name in ("b", "a", "aws/x", "AWS/y", "c_%"):
        logs.client.create_log_group(logGroupName=name.replace("%", "x"))
    assert names(logs) == ["AWS/y", "a", "aws/x", "b", "c_x"]
    assert names(logs, PaginationConfig={"PageSize": 2}) == ["AWS/y", "a", "aws/x", "b", "c_x"]
    assert names(logs, logGroupNamePrefix="a") == ["a", "aws/x"]
    assert names(logs, logGroupNamePattern="Ws/") == ["AWS/y", "aws/x"]
    assert logs.refusal("describe_log_groups", logGroupNamePrefix="a", logGroupNamePattern="b")[0] == (
        "InvalidParameterException"
    )
    assert logs.refusal("describe_log_groups", nextToken="nonsense") == BAD_TOKEN
    token = logs.client.describe_log_groups(limit=1)["nextToken"]
    assert logs.refusal("describe_log_groups", nextToken=token, logGroupNamePrefix="a") == BAD_TOKEN


def test_the_group_of_jobs_is_there_once_a_job_ran(logs: Logs) -> None:
    assert logs.refusal("describe_log_streams", logGroupName=GROUP) == NO_GROUP
    attempt = logs.start()
    assert names(logs) == [GROUP]
    attempt.end()
    assert names(logs) == [GROUP]


def test_streams_of_attempts_are_shown_while_they_run_and_afterwards(logs: Logs) -> None:
    attempt = logs.start()
    attempt.write(b"hello\n")
    (running,) = logs.client.describe_log_streams(logGroupName=GROUP)["logStreams"]
    attempt.end()
    (ended,) = logs.client.describe_log_streams(logGroupIdentifier=arn(GROUP))["logStreams"]
    assert running == ended
    assert ended["arn"] == f"{arn(GROUP)}:log-stream:{attempt.stream}"
    assert ended["storedBytes"] == 0
    assert ended["firstEventTimestamp"] == ended["lastEventTimestamp"] == ended["lastIngestionTime"]


def test_streams_are_ordered_by_name_or_time_and_paged(logs: Logs) -> None:
    logs.client.create_log_group(logGroupName="g")
    for name in ("c", "a", "b"):
        logs.client.create_log_stream(logGroupName="g", logStreamName=name)
    attempts = {name: logs.start(name, group="g") for name in ("bx", "ax")}
    attempts["ax"].end()
    by_name = ["a", attempts["ax"].stream, "b", attempts["bx"].stream, "c"]
    for size in (1, 2, 50):
        paged = {"logGroupName": "g", "PaginationConfig": {"PageSize": size}}
        assert stream_names(logs, **paged) == by_name
        assert stream_names(logs, descending=True, **paged) == by_name[::-1]
        assert stream_names(logs, logStreamNamePrefix="a", **paged) == by_name[:2]
        timed = stream_names(logs, orderBy="LastEventTime", **paged)
        assert sorted(timed) == sorted(by_name) and timed[:3] == ["c", "a", "b"]
        assert stream_names(logs, orderBy="LastEventTime", descending=True, **paged)[-3:] == ["b", "a", "c"]
    assert logs.refusal("describe_log_streams", logGroupName="g", logStreamNamePrefix="a", orderBy="LastEventTime") == (
        "InvalidParameterException",
        "Cannot order by LastEventTime with a logStreamNamePrefix.",
    )
    assert logs.refusal("create_log_stream", logGroupName="g", logStreamName="a")[0] == (
        "ResourceAlreadyExistsException"
    )
    assert logs.refusal("create_log_stream", logGroupName="none", logStreamName="a") == NO_GROUP


def test_a_group_is_named_in_one_way(logs: Logs) -> None:
    logs.client.create_log_group(logGroupName="g")
    assert logs.refusal("describe_log_streams")[0] == "InvalidParameterException"
    assert logs.refusal("describe_log_streams", logGroupName="g", logGroupIdentifier="g")[0] == (
        "InvalidParameterException"
    )
    assert logs.client.describe_log_streams(logGroupIdentifier="g")["logStreams"] == []
    foreign = arn("g").replace(ACCOUNT, "999999999999")
    assert logs.refusal("describe_log_streams", logGroupIdentifier=foreign) == NO_GROUP


@pytest.mark.parametrize("ended", [True, False])
def test_deleted_streams_are_gone_and_their_bytes_with_them(logs: Logs, ended: bool) -> None:
    attempt, other = logs.start(), logs.start()
    attempt.write(b"secret\n" * 20_000)
    if ended:
        attempt.end()
    logs.client.delete_log_stream(**attempt.named)
    assert logs.refusal("get_log_events", **attempt.named) == NO_STREAM
    assert logs.refusal("delete_log_stream", **attempt.named) == NO_STREAM
    assert stream_names(logs, logGroupName=GROUP) == [other.stream]
    if not ended:
        attempt.end()
    folder = logs.store.path(attempt.attempt_id).parent.parent
    assert not list(folder.rglob(f"{attempt.attempt_id}.*"))
    assert stream_names(logs, logGroupName=GROUP) == [other.stream]


def test_a_group_with_running_attempts_can_be_deleted_and_made_again(logs: Logs) -> None:
    running, ended = logs.start(), logs.start()
    running.write(b"one\n")
    ended.write(b"two\n")
    ended.end()
    logs.client.delete_log_group(logGroupName=GROUP)
    assert names(logs) == []
    logs.client.create_log_group(logGroupName=GROUP)
    assert stream_names(logs, logGroupName=GROUP) == []
    running.end()
    assert stream_names(logs, logGroupName=GROUP) == []
    fresh = logs.start()
    assert stream_names(logs, logGroupName=GROUP) == [fresh.stream]


def test_an_index_that_cannot_be_used_is_told_in_the_words_of_the_api(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Lookup, "groups", refuse)
    with pytest.raises(ClientError) as caught:
        logs.client.describe_log_groups()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    error = caught.value.response["Error"]
    assert error["Code"] == "ServiceUnavailableException"
    assert error["Message"] == "The log index cannot be used now: database or disk is full"
