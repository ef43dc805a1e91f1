"""Reading and putting events: pages, tokens, times, patterns; golden answers and refusals."""

import time
from typing import Any

import pytest

from tests.api.logs.logs_service import GROUP, SCOPE, Logs

NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")
BAD_TOKEN = ("InvalidParameterException", "The specified nextToken is invalid.")
DAY = 86_400_000


def now() -> int:
    return time.time_ns() // 1_000_000


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def search(logs: Logs, **members: Any) -> list[str]:
    pages = logs.client.get_paginator("filter_log_events").paginate(**({"logGroupName": GROUP} | members))
    return [event["message"] for page in pages for event in page["events"]]


def put_stream(logs: Logs, *events: tuple[int, str], name: str = "s") -> dict[str, Any]:
    """Put events into a stream that is made for them."""
    if not logs.client.describe_log_groups(logGroupNamePrefix="g")["logGroups"]:
        logs.client.create_log_group(logGroupName="g")
    logs.client.create_log_stream(logGroupName="g", logStreamName=name)
    return put(logs, *events, name=name)


def put(logs: Logs, *events: tuple[int, str], name: str = "s") -> dict[str, Any]:
    given = [{"timestamp": at, "message": text} for at, text in events]
    answer = logs.client.put_log_events(logGroupName="g", logStreamName=name, logEvents=given)
    del answer["ResponseMetadata"]
    return answer


def test_a_client_follows_a_running_attempt_to_its_end(logs: Logs) -> None:
    """As Metaflow does: from the head, with the forward token, until the token stays the same."""
    attempt = logs.start()
    attempt.write(b"one\ntwo\nthr")
    first = logs.client.get_log_events(**attempt.named, startFromHead=True)
    assert messages(first) == ["one", "two"]
    assert all(now() - 10_000 < e["timestamp"] <= e["ingestionTime"] <= now() for e in first["events"])
    token = first["nextForwardToken"]
    again = logs.client.get_log_events(**attempt.named, nextToken=token)
    assert (again["events"], again["nextForwardToken"]) == ([], token)
    attempt.write(b"ee\nfour")
    attempt.end()
    last = logs.client.get_log_events(**attempt.named, nextToken=token, startFromHead=True)
    assert messages(last) == ["three", "four"]
    end = logs.client.get_log_events(**attempt.named, nextToken=last["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], last["nextForwardToken"])


def test_without_a_token_the_newest_page_comes_first(logs: Logs) -> None:
    attempt = logs.start()
    attempt.write(b"".join(b"%d\n" % number for number in range(10)))
    attempt.end()
    page = logs.client.get_log_events(**attempt.named, limit=4)
    assert messages(page) == ["6", "7", "8", "9"]
    before = logs.client.get_log_events(**attempt.named, limit=4, nextToken=page["nextBackwardToken"])
    assert messages(before) == ["2", "3", "4", "5"]
    head = logs.client.get_log_events(**attempt.named, limit=4, nextToken=before["nextBackwardToken"])
    assert messages(head) == ["0", "1"]
    over = logs.client.get_log_events(**attempt.named, nextToken=head["nextBackwardToken"])
    assert (over["events"], over["nextBackwardToken"]) == ([], head["nextBackwardToken"])
    turned = logs.client.get_log_events(**attempt.named, limit=2, nextToken=over["nextForwardToken"])
    assert messages(turned) == ["0", "1"]


def test_a_page_holds_a_megabyte(logs: Logs) -> None:
    attempt = logs.start()
    attempt.write((b"x" * 99_999 + b"\n") * 25)
    attempt.end()
    sizes: list[int] = []
    token: dict[str, str] = {}
    while not token or sizes[-1]:
        page = logs.client.get_log_events(**attempt.named, startFromHead=True, **token)
        token = {"nextToken": page["nextForwardToken"]}
        sizes.append(len(page["events"]))
    assert sizes == [10, 10, 5, 0]


def test_output_is_data_whatever_it_holds(logs: Logs) -> None:
    attempt = logs.start()
    attempt.write(b"nul \x00\n\x1b[31mred\x1b[0m\nwin\r\nbad \xff\xfe\n\n" + "ä€😀\n".encode() + b"L" * 300_000)
    attempt.end()
    found = messages(logs.client.get_log_events(**attempt.named))
    assert found[:6] == ["nul \x00", "\x1b[31mred\x1b[0m", "win", "bad \ufffd\ufffd", "", "ä€😀"]
    assert [len(text) for text in found[6:]] == [262_144, 300_000 - 262_144]


def test_tokens_are_bound_to_their_stream(logs: Logs) -> None:
    one, other = logs.start(), logs.start()
    token = logs.client.get_log_events(**one.named)["nextForwardToken"]
    assert token.startswith("f/")
    for wrong in ("nonsense", "f/" + "0" * 48 + "/s", token.replace("f/", "b/"), token + "x"):
        assert logs.refusal("get_log_events", **one.named, nextToken=wrong) == BAD_TOKEN
    assert logs.refusal("get_log_events", **other.named, nextToken=token) == BAD_TOKEN


def test_missing_streams_and_groups(logs: Logs) -> None:
    logs.start()
    assert logs.refusal("get_log_events", logGroupName=GROUP, logStreamName="none") == NO_STREAM
    assert logs.refusal("get_log_events", logGroupName="none", logStreamName="none") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    assert logs.refusal("filter_log_events", logGroupName=GROUP, logStreamNames=["none"]) == NO_STREAM


def test_put_events_are_read_back_in_the_order_of_their_times(logs: Logs) -> None:
    start = now() - 5_000
    assert "rejectedLogEventsInfo" not in put_stream(logs, (start, "one\nwith two lines"), (start + 1, "two"))
    put(logs, (start - 10, "earlier"), (start + 1, "two again"))
    named = {"logGroupName": "g", "logStreamName": "s"}
    everything = ["earlier", "one\nwith two lines", "two", "two again"]
    assert messages(logs.client.get_log_events(**named)) == everything
    page = logs.client.get_log_events(**named, limit=3, startFromHead=True)
    assert messages(page) == everything[:3]
    rest = logs.client.get_log_events(**named, nextToken=page["nextForwardToken"])
    assert messages(rest) == everything[3:]
    back = logs.client.get_log_events(**named, nextToken=rest["nextBackwardToken"], limit=2)
    assert messages(back) == everything[1:3]
    window = logs.client.get_log_events(**named, startTime=start, endTime=start + 1)
    assert messages(window) == ["one\nwith two lines"]
    (stream,) = logs.client.describe_log_streams(logGroupName="g")["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (start - 10, start + 1)


def test_events_that_are_too_old_or_too_new_are_told(logs: Logs) -> None:
    at = now()
    old, new = at - 15 * DAY, at + 3 * 3_600_000
    assert put_stream(logs, (old, "a"), (old + 1, "b"))["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    assert put(logs, (at, "c"), (new, "d"))["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    logs.client.put_retention_policy(logGroupName="g", retentionInDays=1)
    assert put(logs, (at - 2 * DAY, "e"))["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert search(logs, logGroupName="g") == ["c"]


def test_puts_that_are_refused_whole(logs: Logs) -> None:
    at = now()
    put_stream(logs, (at, "kept"))
    named = {"logGroupName": "g", "logStreamName": "s"}

    def refusal(*events: tuple[int, str]) -> str:
        given = [{"timestamp": when, "message": text} for when, text in events]
        code, message = logs.refusal("put_log_events", **named, logEvents=given)
        assert code == "InvalidParameterException"
        return message

    assert refusal((at, "a"), (at - 1, "b")) == (
        "Log events in a single PutLogEvents request must be in chronological order."
    )
    assert refusal((at - DAY - 1, "a"), (at, "b")) == (
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    )
    assert refusal((at, "x" * 600_000), (at, "y" * 448_550)) == (
        "Upload too large: 1048602 bytes exceeds limit of 1048576"
    )
    assert (
        logs.refusal(
            "put_log_events", logGroupName="g", logStreamName="none", logEvents=[{"timestamp": at, "message": "x"}]
        )
        == NO_STREAM
    )
    attempt = logs.start(group="g")
    foreign = {"logEvents": [{"timestamp": at, "message": "x"}], **attempt.named}
    assert logs.refusal("put_log_events", **foreign)[0] == "InvalidParameterException"
    attempt.end()
    assert logs.refusal("put_log_events", **foreign)[0] == "InvalidParameterException"
    assert search(logs, logGroupName="g") == ["kept"]


@pytest.mark.parametrize("text", ["x", "\0", "\x1b", "ä", "€", "😀"])
def test_a_put_holds_what_aws_takes_however_it_is_written(logs: Logs, text: str) -> None:
    """1,048,576 bytes of UTF-8, 26 of them for each event: as JSON that may be six times as much."""
    at = now()
    each = len(text.encode())
    counts = [(1_048_576 - 10 * 26) // 10 // each] * 10
    put_stream(logs, *((at, text * count) for count in counts))
    page = logs.client.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, limit=1)
    assert messages(page) == [text * counts[0]]
    beyond = [{"timestamp": at, "message": text * (count + 5)} for count in counts]
    size = sum(len(event["message"].encode()) + 26 for event in beyond)
    assert logs.refusal("put_log_events", logGroupName="g", logStreamName="s", logEvents=beyond) == (
        "InvalidParameterException",
        f"Upload too large: {size} bytes exceeds limit of 1048576",
    )


def test_a_put_holds_ten_thousand_events(logs: Logs) -> None:
    at = now()
    assert put_stream(logs, *((at, "\0" * 78) for _ in range(10_000)))["nextSequenceToken"]
    many = [{"timestamp": at, "message": "x"}] * 10_001
    code, message = logs.refusal("put_log_events", logGroupName="g", logStreamName="s", logEvents=many)
    assert code == "InvalidParameterException"
    assert "logEvents" in message and "10000" in message


def test_the_times_that_a_put_may_span(logs: Logs) -> None:
    """The bounds themselves are inside; beyond them events are told by number, and the rest is taken."""
    at = now()
    assert "rejectedLogEventsInfo" not in put_stream(logs, (at - DAY, "a"), (at, "b"))
    assert "rejectedLogEventsInfo" not in put(logs, (at - 14 * DAY + 60_000, "c"))
    edges = put(logs, (at + 2 * 3_600_000 - 60_000, "d"), (at + 2 * 3_600_000 + 60_000, "e"))
    assert edges["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    mixed = put(logs, (at - 14 * DAY - 60_000, "f"), (at - 14 * DAY + 60_000, "g"))
    assert mixed["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert search(logs, logGroupName="g") == ["c", "g", "a", "b", "d"]


def test_a_search_interleaves_streams_by_time(logs: Logs) -> None:
    at = now() - 10_000
    put_stream(logs, *((at + 2 * number, f"even {number}") for number in range(50)), name="even")
    put_stream(logs, *((at + 2 * number + 1, f"odd {number}") for number in range(50)), name="odd")
    put_stream(logs, (at + 20, "tie"), name="aside")
    expected = [f"{('even', 'odd')[number % 2]} {number // 2}" for number in range(100)]
    expected.insert(20, "tie")
    for size in (1, 7, 10_000):
        assert search(logs, logGroupName="g", PaginationConfig={"PageSize": size}) == expected
    assert search(logs, logGroupName="g", logStreamNames=["odd"], startTime=at + 90) == expected[92::2]
    assert search(logs, logGroupName="g", logStreamNamePrefix="a") == ["tie"]
    assert search(logs, logGroupName="g", endTime=at + 3) == expected[:3]
    assert search(logs, logGroupName="g", filterPattern='?"odd 1" ?tie')[:2] == ["odd 1", "tie"]
    assert search(logs, logGroupName="g", filterPattern="even -1", startTime=at + 90) == ["even 45", *expected[93::2]]
    answer = logs.client.filter_log_events(logGroupName="g", limit=1)
    (event,) = answer["events"]
    assert event["logStreamName"] == "even" and len(event["eventId"]) == 56
    assert logs.client.filter_log_events(logGroupName="g", limit=1)["events"] == [event]
    assert logs.refusal("filter_log_events", logGroupName="g", nextToken="00") == BAD_TOKEN
    assert logs.refusal("filter_log_events", logGroupName="g", logStreamNames=["odd"], logStreamNamePrefix="o")[0] == (
        "InvalidParameterException"
    )
    assert search(logs, logGroupName="g", filterPattern="[kind = e*, number > 47]") == ["even 48", "even 49"]
    assert search(logs, logGroupName="g", filterPattern=r"%^odd\s[34]8$%") == ["odd 38", "odd 48"]
    assert search(logs, logGroupName="g", filterPattern="{ $.a NOT EXISTS }") == []
    for pattern in ('"open', "{ $.a = }", "[a, b", "%(%"):
        code, message = logs.refusal("filter_log_events", logGroupName="g", filterPattern=pattern)
        assert code == "InvalidParameterException" and message.startswith("Invalid filter pattern")


def test_a_page_ends_in_time_and_the_next_goes_on(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a pattern takes: pages are then short, or empty, and together find everything."""
    monkeypatch.setattr("longshore.logs.search._SCAN_SECONDS", 0.0)
    put_stream(logs, *((now() - 1000 + number, f"event {number}") for number in range(10)), name="s")
    answer = logs.client.filter_log_events(logGroupName="g", filterPattern="event")
    assert len(answer["events"]) == 1
    assert search(logs, logGroupName="g", filterPattern="5") == ["event 5"]


@pytest.mark.parametrize("count", [30, 1_200])
def test_a_search_finds_all_of_many_attempts(logs: Logs, count: int) -> None:
    attempts = [logs.start() for _ in range(min(count, 30))]
    for attempt in attempts:
        attempt.write(f"of {attempt.attempt_id}\nsecond\n".encode())
    for attempt in attempts[::2]:
        attempt.end()
    wanted = sorted(f"of {attempt.attempt_id}" for attempt in attempts)
    if count > len(attempts):
        logs.client.create_log_group(logGroupName="g")
        at = now() - 1_000
        for number in range(count - len(attempts)):
            logs.call(logs.store.create_stream(SCOPE, "g", f"s{number}"))
            logs.call(logs.store.put_events(SCOPE, "g", f"s{number}", [(at + number // 400, f"of {number}")]))
        found = search(logs, logGroupName="g", filterPattern="of")
        assert sorted(found) == sorted(f"of {number}" for number in range(count - len(attempts)))
    assert sorted(search(logs, filterPattern="of")) == wanted
    assert len(search(logs, filterPattern="second", PaginationConfig={"PageSize": 4})) == len(attempts)
