"""Workloads from models, the same for the same seed; nothing is downloaded."""

from collections.abc import Callable, Mapping

from longshore.simulator.fleet import Fleet
from longshore.simulator.models.lublin_feitelson import lublin_feitelson
from longshore.simulator.models.mix import Mix
from longshore.simulator.models.poisson_arrays import poisson_arrays
from longshore.simulator.trace import Trace

__all__ = ["MODELS", "Mix"]

#: By the names that people give them.
MODELS: Mapping[str, Callable[[Mix, Fleet], Trace]] = {
    "lublin-feitelson": lublin_feitelson,
    "poisson-arrays": poisson_arrays,
}
