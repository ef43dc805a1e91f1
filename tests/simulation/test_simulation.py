"""The control plane lives through seeded disasters; `make sim` runs many more seeds than these."""

import os
import subprocess
import sys

import pytest

from longshore.testing.simulation import Finished, SimulationFailed, run_seed
from longshore.testing.simulation.mutants import MUTANTS, hunt

#: 50 seeds, a few for each test, so that they spread over processes.
SEEDS = [range(first, first + 5) for first in range(0, 50, 5)]


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_invariants_hold(seeds: range) -> None:
    """Nothing is lost, run twice, over-committed, invented or left behind, whatever happens."""
    for seed in seeds:
        run_seed(seed)


def test_a_seed_replays_to_the_last_step() -> None:
    """Also in another process, where sets and dictionaries of texts have another order."""
    program = "from longshore.testing.simulation import run_seed; print(run_seed(1))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert elsewhere.stdout.strip() == str(run_seed(1))


def test_seeds_differ() -> None:
    """Each seed is another story."""
    first, second = run_seed(2), run_seed(3)
    assert isinstance(first, Finished)
    assert first.digest != second.digest


def test_a_failure_tells_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the seed, the step and the invariant, and ends with what happened last."""
    monkeypatch.setattr("longshore.control.lane.Lane.serve_once", _do_nothing)
    with pytest.raises(SimulationFailed) as failed:
        run_seed(0)
    assert (failed.value.seed, failed.value.invariant) == (0, "all work ends")
    assert f"seed 0, step {failed.value.step}: all work ends: " in str(failed.value)
    assert str(failed.value).endswith("replay: python -m longshore.testing.simulation --seed 0")


async def _do_nothing(lane: object) -> None:
    vars(lane)["_acts"].clear()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["acts before the commit", "time-outs go by the wall clock"])
def test_planted_faults_are_caught(name: str) -> None:
    """Two of them; `make sim-mutants` plants them all."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert hunt(mutant, range(40), processes=1) is not None
