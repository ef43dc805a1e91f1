"""Frames and messages between driver and runner."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.engines.process.wire import (
    MAX_FRAME_BYTES,
    Frames,
    Hello,
    Item,
    Launch,
    ProtocolError,
    Report,
    Request,
    Welcome,
    agreed,
    frame,
    frame_of,
)


@given(payloads=st.lists(st.binary(max_size=50), max_size=8), cuts=st.lists(st.integers(0, 500), max_size=8))
def test_frames_arrive_whole_however_the_stream_is_cut(payloads: list[bytes], cuts: list[int]) -> None:
    """What is framed comes out as it went in."""
    stream = b"".join(map(frame_of, payloads))
    frames, out, at = Frames(), list[bytes](), 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        out += frames.feed(stream[at:cut])
        at = cut
    assert out == payloads


def test_frame_that_is_too_long_is_refused_before_it_comes() -> None:
    """Neither side makes one, nor waits for one."""
    with pytest.raises(ProtocolError, match="16777217 bytes"):
        Frames().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        frame_of(bytes(MAX_FRAME_BYTES + 1))


def test_messages_survive_the_wire() -> None:
    """A request is decoded to what was encoded."""
    item = Item("a" * 32, 0, "default", ["sh", "-c", "ü"], {"A": "b"}, "/log", "", [("core", 0, -1)], 5)
    message = Launch(7, [item])
    (payload,) = Frames().feed(frame(message))
    assert msgspec.msgpack.decode(payload, type=Request) == message


def test_later_fields_are_skipped_and_missing_ones_have_defaults() -> None:
    """Within a protocol version either side may be newer."""
    later = msgspec.msgpack.encode(["id", 0, "c", "running", 1, None, None, False, "", None, None, 5.0, "later"])
    assert msgspec.msgpack.decode(later, type=Report).started_ns == 1
    earlier = msgspec.msgpack.encode(["id", 0, "c", ["true"], {}, "/log"])
    assert msgspec.msgpack.decode(earlier, type=Item).memory_bytes == 0


def test_greeting_is_a_map_for_ever() -> None:
    """Any version can read what another speaks."""
    hello = msgspec.msgpack.decode(msgspec.msgpack.encode(Hello(longshore="9", speaks=(1, 2))))
    assert hello == {"longshore": "9", "speaks": [1, 2]}
    answer = {"longshore": "9", "speaks": [3], "version": 0, "pid": 1, "unheard of": True}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Welcome).version == 0


@pytest.mark.parametrize(
    ("ours", "theirs", "version"), [((1,), (1,), 1), ((1, 2), (1, 2, 3), 2), ((1,), (2,), 0), ((1,), (), 0)]
)
def test_highest_common_version_is_agreed_on(ours: tuple[int, ...], theirs: tuple[int, ...], version: int) -> None:
    """0 when there is none."""
    assert agreed(ours, theirs) == version
