"""`python -m longshore.testing.simulation`: many seeds, one seed with its story, or the planted faults."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from longshore.testing.simulation.mutants import MUTANTS, Mutant, hunt
from longshore.testing.simulation.points import POINTS
from longshore.testing.simulation.runner import Failure, run_seeds, try_seed

MOST_STORIES = 3


@click.command()
@click.option("--seeds", default=200, show_default=True, help="How many seeds to run, or to try on each planted fault.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("--seed", type=int, help="Run this seed alone, and tell its story.")
@click.option("--mutants", is_flag=True, help="Plant faults one at a time; each must be caught.")
@click.option("--mutant", type=click.Choice([mutant.name for mutant in MUTANTS]), help="Plant this fault alone.")
def main(seeds: int, first: int, seed: int | None, mutants: bool, mutant: str | None) -> None:
    """Run the whole control plane on virtual time and check its invariants after every step."""
    console = Console()
    if mutant is not None or mutants:
        chosen = [each for each in MUTANTS if mutant in (None, each.name)]
        found = range(first, first + seeds) if seed is None else [seed]
        sys.exit(_hunt(console, chosen, found))
    if seed is not None:
        result = try_seed(seed)
        console.print(result.text if isinstance(result, Failure) else str(result), markup=False, highlight=False)
        sys.exit(isinstance(result, Failure))
    sys.exit(_run(console, range(first, first + seeds)))


def _run(console: Console, seeds: range) -> int:
    began = time.monotonic()
    failures: list[Failure] = []
    steps = jobs = attempts = 0
    deaths: Counter[str] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        line = progress.add_task("seeds", total=len(seeds))
        for result in run_seeds(seeds):
            progress.advance(line)
            if isinstance(result, Failure):
                failures.append(result)
                progress.update(line, description=f"seeds ({len(failures)} failed)")
                if len(failures) <= MOST_STORIES:
                    progress.console.print(result.text, markup=False, highlight=False)
                continue
            steps += result.steps
            jobs += result.jobs
            attempts += result.attempts
            deaths += result.deaths
    console.print(
        f"{len(seeds)} seeds, {jobs} jobs, {attempts} attempts, {steps} steps, {deaths.total()} deaths of servers "
        f"in {time.monotonic() - began:.0f} s; {len(failures)} failed"
    )
    table = Table("died at", "times")
    for point in POINTS:
        table.add_row(point, str(deaths[point]))
    console.print(table)
    for failure in failures:
        console.print(f"seed {failure.seed}: {failure.invariant}", markup=False, highlight=False)
    return 1 if failures else 0


def _hunt(console: Console, chosen: list[Mutant], seeds: Sequence[int]) -> int:
    table = Table("planted fault", "caught by seed", "invariant")
    survivors = 0
    for mutant in chosen:
        failure = hunt(mutant, seeds)
        survivors += failure is None
        caught = ("survived", "") if failure is None else (str(failure.seed), failure.invariant)
        table.add_row(mutant.name, *caught)
        console.print(f"{mutant.name}: {caught[0]}", markup=False, highlight=False)
    console.print(table)
    return 1 if survivors else 0


if __name__ == "__main__":
    main()
