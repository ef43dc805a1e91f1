"""evaluateOnExit: which rule speaks for an attempt's end, and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.retry import EvaluateOnExit, RetryAction, RetryStrategy, matching_action

EXITED = "Essential container in task exited"
LOST = "Host EC2 (instance i-0737c70432d64f82a) terminated."
OOM = "OutOfMemoryError: Container killed due to memory usage"


def decide(
    *rules: EvaluateOnExit, status_reason: str = EXITED, reason: str = "", exit_code: int | None = 1
) -> RetryAction | None:
    strategy = RetryStrategy(attempts=3, evaluate_on_exit=rules)
    return matching_action(strategy, status_reason=status_reason, reason=reason, exit_code=exit_code)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (EvaluateOnExit(action="EXIT"), True),
        (EvaluateOnExit(action="EXIT", on_exit_code="1"), True),
        (EvaluateOnExit(action="EXIT", on_exit_code="1*"), True),
        (EvaluateOnExit(action="EXIT", on_exit_code="*"), True),
        (EvaluateOnExit(action="EXIT", on_exit_code="13"), False),
        (EvaluateOnExit(action="EXIT", on_exit_code="13*"), False),
        (EvaluateOnExit(action="EXIT", on_reason="*"), True),
        (EvaluateOnExit(action="EXIT", on_reason="OutOfMemoryError*"), False),
        (EvaluateOnExit(action="EXIT", on_status_reason="Essential*"), True),
        (EvaluateOnExit(action="EXIT", on_status_reason="Essential"), False),
        (EvaluateOnExit(action="EXIT", on_status_reason="essential*"), False),
        (EvaluateOnExit(action="EXIT", on_status_reason="container*"), False),
        (EvaluateOnExit(action="EXIT", on_status_reason=EXITED), True),
        (EvaluateOnExit(action="EXIT", on_exit_code="1", on_reason="Out*"), False),
        (EvaluateOnExit(action="EXIT", on_exit_code="1", on_reason="*", on_status_reason="Ess*"), True),
    ],
)
def test_plain_exit_with_code_1(rule: EvaluateOnExit, matches: bool) -> None:
    """A star at the end makes a prefix, else the whole text must match; every condition given must hold."""
    assert decide(rule) is (RetryAction.EXIT if matches else None)


@pytest.mark.parametrize(
    ("status_reason", "reason", "exit_code", "action"),
    [
        (LOST, "", None, RetryAction.RETRY),
        (EXITED, "", 1, RetryAction.EXIT),
        (EXITED, OOM, 137, RetryAction.EXIT),
        ("Task failed to start", "CannotPullContainerError: no such image", None, RetryAction.EXIT),
    ],
    ids=["lost host", "exit 1", "out of memory", "failed start"],
)
def test_spot_idiom(status_reason: str, reason: str, exit_code: int | None, action: RetryAction) -> None:
    """AWS's documented pair of rules."""
    rules = (
        EvaluateOnExit(action="RETRY", on_status_reason="Host EC2*"),
        EvaluateOnExit(action="EXIT", on_reason="*"),
    )
    assert decide(*rules, status_reason=status_reason, reason=reason, exit_code=exit_code) is action


def test_absent_exit_code_matches_only_the_star() -> None:
    """It counts as the empty text."""
    assert decide(EvaluateOnExit(action="RETRY", on_exit_code="*"), exit_code=None) is RetryAction.RETRY
    assert decide(EvaluateOnExit(action="RETRY", on_exit_code="0*"), exit_code=None) is None


def test_exit_code_zero_is_no_absent_one() -> None:
    """Zero is a code like any other."""
    assert decide(EvaluateOnExit(action="RETRY", on_exit_code="0"), exit_code=0) is RetryAction.RETRY


@pytest.mark.parametrize("text", ["retry", "RETRY", "Retry"])
def test_action_in_any_case(text: str) -> None:
    """Clients write it as they like."""
    assert decide(EvaluateOnExit(action=text)) is RetryAction.RETRY


def test_no_rules() -> None:
    """Nobody says anything: the caller retries while attempts remain."""
    assert decide() is None


@given(
    actions=st.lists(st.sampled_from(["RETRY", "EXIT"]), min_size=1, max_size=5),
    codes=st.lists(st.sampled_from(["1", "2", "1*", "*", None]), min_size=5, max_size=5),
)
def test_first_match_decides(actions: list[str], codes: list[str | None]) -> None:
    """Rules behind the first that matches are not heard."""
    rules = [EvaluateOnExit(action=action, on_exit_code=code) for action, code in zip(actions, codes, strict=False)]
    expected = next((rule.action for rule in rules if rule.on_exit_code != "2"), None)
    assert decide(*rules) == expected
