"""The whole control plane on virtual time: real leader, lanes, use cases and store, on a fake site that survives them.

A seed gives a scenario (`scenario.py`): queues, hosts, work, what its tasks do, and everything that goes wrong. The
servers of a run die between any two steps and come back on what was committed; after every step the invariants are
checked (`invariants.py`, `history.py`, `site.py`, `presence.py`). The same seed gives the same run, to the last step.
"""

from longshore.testing.simulation.trace import SimulationFailed
from longshore.testing.simulation.world import Finished, run_seed

__all__ = ["Finished", "SimulationFailed", "run_seed"]
