"""What array jobs of a batch service look like: a model of our own, and no more than it says.

Array jobs come as a Poisson process. The number of children is geometric; all children of an array ask for the same,
no more than the largest host has, and their run times are lognormal around that of the array, which is lognormal too.
"""

from math import log

import numpy as np
from numpy.random import default_rng

from longshore.simulator.fleet import Fleet
from longshore.simulator.models.mix import Mix, about, requested_seconds, share_names, shares, span_seconds
from longshore.simulator.trace import Trace

_MEAN_CHILDREN = 100
_MEDIAN_SECONDS = 300.0
#: of the ln of the run times: between arrays, and between the children of one
_SPREAD_OF_ARRAYS = 1.2
_SPREAD_OF_CHILDREN = 0.3
_CHILD_VCPUS = (1, 1, 1, 2, 4, 8)
_GIB_PER_VCPU = (1, 2, 2, 4)


def poisson_arrays(mix: Mix, fleet: Fleet) -> Trace:
    """A workload of the model."""
    rng = default_rng(mix.seed)
    children = rng.geometric(1 / _MEAN_CHILDREN, size=2 * (mix.jobs // _MEAN_CHILDREN + 10))
    while children.sum() < mix.jobs:
        children = np.concatenate([children, rng.geometric(1 / _MEAN_CHILDREN, size=len(children))])
    count = int(np.searchsorted(children.cumsum(), mix.jobs)) + 1
    array_of = np.repeat(np.arange(count), children[:count])[: mix.jobs]
    host = max(fleet.groups, key=lambda group: group.vcpus)
    vcpus = np.minimum(rng.choice(_CHILD_VCPUS, count), min(mix.largest, host.vcpus))
    memory = np.minimum(vcpus * rng.choice(_GIB_PER_VCPU, count) * 1024, host.memory_mib or 0)
    median = np.exp(rng.normal(log(_MEDIAN_SECONDS), _SPREAD_OF_ARRAYS, count))
    runs = np.maximum(np.floor(median[array_of] * np.exp(rng.normal(0.0, _SPREAD_OF_CHILDREN, mix.jobs))), 1.0)
    longest = np.zeros(count)
    np.maximum.at(longest, array_of, runs)
    gaps = rng.exponential(1.0, count)
    times = gaps.cumsum() - gaps[0]
    if times[-1] > 0:
        times *= span_seconds(float((runs * vcpus[array_of]).sum()), mix, fleet) / times[-1]
    return Trace(
        about=about("poisson-arrays", mix),
        submitted_at=np.floor(times)[array_of],
        run_seconds=runs,
        limit_seconds=requested_seconds(rng, longest)[array_of],
        vcpu_milli=vcpus[array_of] * 1000,
        memory_mib=memory[array_of],
        gpus=np.zeros(mix.jobs, dtype=np.int64),
        share=shares(rng, count, mix.users)[array_of],
        shares=share_names(mix.users),
    )
