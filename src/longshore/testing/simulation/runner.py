"""Runs many seeds in several processes, whatever they find."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from longshore.testing.simulation.trace import SimulationFailed
from longshore.testing.simulation.world import Finished, run_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a seed has brought to light."""

    seed: int
    #: in a few words
    invariant: str
    #: the whole story
    text: str


def try_seed(seed: int) -> Finished | Failure:
    """Run `seed`; never raises."""
    try:
        return run_seed(seed)
    except SimulationFailed as failure:
        return Failure(seed=seed, invariant=failure.invariant, text=str(failure))
    except Exception as problem:
        text = f"seed {seed}: the simulation broke\n{traceback.format_exc()}"
        return Failure(seed=seed, invariant=f"{type(problem).__name__}", text=text)


def run_seeds(
    seeds: Iterable[int], *, processes: int | None = None, prepare: Callable[[], None] | None = None
) -> Generator[Finished | Failure]:
    """Results in the order of the seeds; `prepare` is called first in each process. Close the iterator to stop."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with context.Pool(processes or os.cpu_count(), initializer=prepare) as pool:
        yield from pool.imap(try_seed, seeds)
