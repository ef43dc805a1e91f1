"""What driver and runner say to each other over the runner's Unix socket.

A frame is a length (4 bytes, big-endian) and that many bytes of MessagePack. The client opens with `Hello`, the runner
answers `Welcome`; these two are maps, and may gain members but never change, so that any two versions can talk far
enough to say what they speak. Everything behind them belongs to the agreed protocol version. Records of version 1 are
arrays: new fields go to the end and have defaults, so that within a version the older side skips what it does not know.
"""

from typing import Literal

import msgspec

#: protocol versions that this code speaks, oldest first
SPOKEN = (1,)
#: longest frame, in bytes; a peer that announces more is cut off
MAX_FRAME_BYTES = 16 * 1024 * 1024
#: what the runner keeps in its environment variables of jobs to find their processes again
MARKER = "LONGSHORE_ATTEMPT_ID"

#: numbers of resource limits by their names in `docker run --ulimit`. Source: Linux, asm-generic/resource.h
LIMITS = {
    "cpu": 0,
    "fsize": 1,
    "data": 2,
    "stack": 3,
    "core": 4,
    "rss": 5,
    "nproc": 6,
    "nofile": 7,
    "memlock": 8,
    "locks": 10,
    "sigpending": 11,
    "msgqueue": 12,
    "nice": 13,
    "rtprio": 14,
    "rttime": 15,
}

#: `running`: also while leftovers are being killed; the last three are final
State = Literal["running", "exited", "lost", "failed-to-start"]


class ProtocolError(Exception):
    """The peer sent what is no frame or no message."""


# --- the greeting, the same for ever ------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """First frame of a client."""

    #: version of Longshore, for people
    longshore: str
    speaks: tuple[int, ...]


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """The runner's answer."""

    longshore: str
    speaks: tuple[int, ...]
    #: the version agreed on, the highest that both speak; 0: none, and the runner hangs up
    version: int
    pid: int
    #: why jobs cannot be held to their memory; empty when they can
    memory_problem: str = ""


# --- version 1: records -------------------------------------------------------------------------------------------


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One attempt to start. Version of the record: the protocol's."""

    id: str
    node: int
    container: str
    command: list[str]
    environment: dict[str, str]
    #: absolute; made by the runner
    log: str
    #: empty: the runner's own; else a name or number, and maybe `:group`
    user: str = ""
    #: name in LIMITS, soft, hard; -1 is unlimited
    limits: list[tuple[str, int, int]] = []
    #: 0: not held to any
    memory_bytes: int = 0


class Refusal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A launch that did not happen; nothing is left of it."""

    id: str
    #: True: never as it is; False: maybe later
    final: bool
    reason: str


class Report(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the runner knows of an attempt. Instants are wall-clock nanoseconds since 1970."""

    id: str
    node: int
    container: str
    #: a State; a later runner may have others
    state: str
    started_ns: int | None = None
    stopped_ns: int | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    reason: str = ""
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    #: reading of the boot clock
    started_boot_seconds: float | None = None


# --- version 1: requests, each answered by one message with its `seq` ------------------------------------------------


class Launch(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Start these; answered by `Launched` when all are started or refused."""

    seq: int
    items: list[Item]


class Observe(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Answered by `Reports`, one for each id that is known."""

    seq: int
    ids: list[str]


class Stop(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """End these: (id, grace seconds); answered by `Done`."""

    seq: int
    ids: list[tuple[str, int]]


class Release(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Forget these where they are over; answered by `Done`."""

    seq: int
    ids: list[str]


class Discover(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Answered by `Known`: every attempt that is not released."""

    seq: int


class Watch(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Send changes on this connection from now on, as `Reports` with `seq` 0; answered by `Done`."""

    seq: int


class Retire(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Exit when nothing is live, so that a newer runner can take over; answered by `Done` before."""

    seq: int


Request = Launch | Observe | Stop | Release | Discover | Watch | Retire


class Launched(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """All items were started, or had been before, but for these."""

    seq: int
    refused: list[Refusal]


class Reports(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """States of attempts."""

    seq: int
    reports: list[Report]


class Known(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """Ids of attempts."""

    seq: int
    ids: list[str]


class Done(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """It is done."""

    seq: int


Reply = Launched | Reports | Known | Done


# --- frames -------------------------------------------------------------------------------------------------------

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode


def frame(message: msgspec.Struct) -> bytes:
    """The bytes of one message."""
    return frame_of(encode(message))


def frame_of(payload: bytes) -> bytes:
    """The bytes of one message that is encoded already. Raises ProtocolError for one that no peer would take."""
    if len(payload) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a message of {len(payload)} bytes is longer than the {MAX_FRAME_BYTES} that are allowed")
    return len(payload).to_bytes(4, "big") + payload


class Frames:
    """Cuts a stream of bytes into the payloads of frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes. Raises ProtocolError when a frame is announced that is too long."""
        buffer = self._buffer
        buffer += data
        payloads: list[bytes] = []
        at = 0
        while len(buffer) - at >= 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            if size > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {size} bytes was announced; {MAX_FRAME_BYTES} are allowed")
            if len(buffer) - at - 4 < size:
                break
            payloads.append(bytes(buffer[at + 4 : at + 4 + size]))
            at += 4 + size
        del buffer[:at]
        return payloads


def agreed(ours: tuple[int, ...], theirs: tuple[int, ...]) -> int:
    """The highest protocol version that both speak, or 0."""
    return max(set(ours) & set(theirs), default=0)
