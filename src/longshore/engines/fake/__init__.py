"""An engine without machinery: tasks are entries of a site in memory and live by a script, on any clock."""

from longshore.engines.fake.driver import FakeDriver
from longshore.engines.fake.faults import CallFate, Faults, LaunchFate, Outage, SeededFaults, WatchFate
from longshore.engines.fake.script import Behaviour, Script
from longshore.engines.fake.site import FakeSite, FakeTask, Ledger, UsageChange

__all__ = [
    "Behaviour",
    "CallFate",
    "FakeDriver",
    "FakeSite",
    "FakeTask",
    "Faults",
    "LaunchFate",
    "Ledger",
    "Outage",
    "Script",
    "SeededFaults",
    "UsageChange",
    "WatchFate",
]
