"""What a key may do, and what keys there can be."""

from collections.abc import Sequence

import pytest

from longshore.domain.access_key import allows, check_key
from longshore.domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("actions", "action", "allowed"),
    [
        (None, "batch:SubmitJob", True),
        ((), "batch:SubmitJob", False),
        (("batch:SubmitJob",), "batch:SubmitJob", True),
        (("batch:submitjob",), "batch:SubmitJob", True),
        (("batch:SubmitJob",), "batch:SubmitJobs", False),
        (("batch:SubmitJob",), "logs:SubmitJob", False),
        (("batch:*",), "batch:SubmitJob", True),
        (("batch:*",), "logs:GetLogEvents", False),
        (("batch:List*", "logs:Get*"), "logs:GetLogEvents", True),
        (("batch:****Job",), "batch:SubmitJob", True),
        (("batch:S?bmitJob",), "batch:SubmitJob", True),
        (("batch:?SubmitJob",), "batch:SubmitJob", False),
    ],
)
def test_an_action_is_on_the_list_or_not(actions: Sequence[str] | None, action: str, allowed: bool) -> None:
    assert allows(actions, action) is allowed


def test_a_right_key_passes() -> None:
    check_key("alice@example.com", "123456789012", ["batch:*", "logs:Get*", "longshore:ReadMetrics"])
    check_key("LSAKABC", None, None)


@pytest.mark.parametrize(
    ("name", "account_id", "actions", "said"),
    [
        ("", None, [], "the name '' is not"),
        ("a/b", None, [], "the name 'a/b' is not"),
        ("x" * 65, None, [], "the name"),
        ("a", "12345678901", [], "the account '12345678901' is not a number of 12 digits"),
        ("a", "123456789012\n", [], "the account"),
        ("a", None, ["*"], "'[*]' is not an action"),
        ("a", None, ["batch"], "'batch' is not an action"),
        ("a", None, ["batch:"], "is not an action"),
        (
            "a",
            None,
            ["s3:GetObject"],
            "is not an action: SERVICE:NAME, as batch:SubmitJob or logs:Get[*], of batch, logs",
        ),
        ("a", None, ["batch:Submit Job"], "is not an action"),
    ],
)
def test_a_wrong_key_is_told_what_is_wrong(name: str, account_id: str | None, actions: list[str], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        check_key(name, account_id, actions)
