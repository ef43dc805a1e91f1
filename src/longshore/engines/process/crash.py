"""The points at which tests make the runner die: every boundary of its journal. See `longshore.ports.crash_points`."""

from longshore.ports.crash_points import VARIABLE, crash_point

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
__all__ = ["CRASH_POINTS", "VARIABLE", "crash_point"]
