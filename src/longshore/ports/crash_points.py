"""Named points at which a process of ours can be made to die, so that tests can kill it at every boundary that matters.

`LONGSHORE_CRASH_POINT=NAME` kills at the first time the point is passed, `NAME:3` at the third. Without the variable a
point costs one comparison.
"""

import os
import signal

VARIABLE = "LONGSHORE_CRASH_POINT"

#: Of the server; the runner of processes has its own (`engines.process.crash`).
SERVER_CRASH_POINTS = (
    "commit.before",  # of whatever callers and the leader had written together
    "commit.after",  # it is durable, nobody was told
    "turn.before-commit",
    "turn.after-commit",  # the intents are stored, nothing was done for them
    "lane.before-launch",  # the log is attached
    "lane.after-launch",  # the engine has it, we have not heard its answer
    "lane.after-stop",
    "lane.after-release",  # the engine has forgotten the attempt, the store has not
    "lane.after-seal",  # the log is put away, the end is not stored
    "lane.after-report",  # the news is in memory only
)

_name, _, _nth = os.environ.get(VARIABLE, "").partition(":")
_left = int(_nth) if _nth.isdecimal() else 1


def crash_point(name: str) -> None:
    """Die here by SIGKILL, if this is the point and the pass that was asked for."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
