"""How a fake task behaves."""

from collections.abc import Callable
from dataclasses import dataclass

from longshore.ports.engine import LaunchSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The life of one task, if nobody interferes. Times are seconds of the site's clock."""

    #: what the engine says instead of accepting the launch; empty: it accepts
    rejection: str = ""
    #: from acceptance to the start, as an image pull takes
    start_delay_seconds: float = 0.0
    #: why it fails to start, when the delay is over; empty: it starts
    start_failure: str = ""
    duration_seconds: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False
    #: written whole at the start
    output: bytes = b""
    #: SIGTERM does not end it; SIGKILL does
    ignores_term: bool = False
    #: how many processes it consists of
    processes: int = 1


#: Decides the life of a task when its launch arrives. Called once for each launch that is not a repetition.
Script = Callable[[LaunchSpec], Behaviour]


def succeeds_at_once(spec: LaunchSpec) -> Behaviour:
    """Every task starts at once, writes nothing and ends with 0."""
    return Behaviour()
