"""Named points at which the runner can be made to die, so that tests can kill it at every journal boundary.

`LONGSHORE_CRASH_POINT=NAME` kills at the first time the point is passed, `NAME:3` at the third. Without the variable a
point costs one comparison.
"""

import os
import signal

VARIABLE = "LONGSHORE_CRASH_POINT"

CRASH_POINTS = (
    "launch.before-launching-record",
    "launch.after-launching-record",
    "launch.after-log",  # the log file is there, the process is not
    "launch.after-spawn",
    "launch.after-started-record",
    "exit.before-record",  # the process was reaped
    "exit.after-record",
    "release.before-record",  # the folder is gone
    "release.after-record",
    "compact.before-rename",
    "compact.after-rename",
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
