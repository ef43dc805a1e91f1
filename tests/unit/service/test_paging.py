"""Tokens between pages."""

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.errors import InvalidRequest
from longshore.service.paging import open_token, page_of, seal_token

CALLS = st.lists(st.text(max_size=3) | st.none(), max_size=3).map(tuple)


@given(CALLS, st.text())
def test_a_token_holds_its_cursor(call: Sequence[object], cursor: str) -> None:
    assert open_token(seal_token(call, cursor), call) == cursor


@given(CALLS, CALLS, st.text())
def test_a_token_of_another_call_is_refused(one: Sequence[object], other: Sequence[object], cursor: str) -> None:
    if one == other:
        return
    with pytest.raises(InvalidRequest, match="belongs to a call with other arguments"):
        open_token(seal_token(one, cursor), other)


@given(CALLS, st.text(min_size=1), st.data())
def test_a_token_that_was_cut_is_refused(call: Sequence[object], cursor: str, data: st.DataObject) -> None:
    token = seal_token(call, cursor)
    with pytest.raises(InvalidRequest, match="nextToken is not valid"):
        open_token(token[: 4 * data.draw(st.integers(0, (len(token) - 1) // 4))], call)


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="nextToken is not valid"):
        open_token(text, ("call",))


def test_no_token_begins_at_the_front() -> None:
    assert open_token(None, ("call",)) is None


@given(st.lists(st.integers(), unique=True), st.integers(1, 4))
def test_pages_hold_everything_once(entries: list[int], limit: int) -> None:
    call, seen, token = ("call",), list[int](), None
    while True:
        cursor = open_token(token, call)
        start = 0 if cursor is None else entries.index(int(cursor)) + 1
        found = entries[start : start + limit + 1]
        page = page_of(found, limit, call, [str(each) for each in found])
        seen.extend(page.items)
        token = page.next_token
        if token is None:
            break
        assert len(page.items) == limit
    assert seen == entries
