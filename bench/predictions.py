"""How good predicted starts are: `make predictions`.

Generated workloads are replayed on 8 hosts with 16 vCPUs each, at a load of 0.85, so that jobs wait. At some instants
a server's forecast is made, without its limit on time, and what it says of up to four waiting jobs is compared with
what came. Error bars are right when starts lie in them 8 times of 10.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import product
from os import cpu_count
from statistics import median

from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

from longshore.service.wording import duration
from longshore.simulator.fleet import parse_hosts
from longshore.simulator.models import MODELS, Mix
from longshore.simulator.policies import POLICIES
from longshore.simulator.predicting import Noted, predict

_HOSTS = ("8x16:64GiB",)
_LOAD = 0.85
_POLICIES = ("fifo", "easy", "fair")


def predicted(case: tuple[str, str], jobs: int, looks: int, seed: int) -> list[Noted]:
    """What was predicted in one replay, and what came."""
    model, policy = case
    fleet = parse_hosts(_HOSTS)
    trace = MODELS[model](Mix(jobs=jobs, load=_LOAD, users=10, largest=16, seed=seed), fleet)
    return predict(trace, fleet, POLICIES[policy], looks=looks)


def cells(noted: list[Noted]) -> list[str]:
    """The figures of one replay."""
    if not noted:
        return ["0", *[""] * 6]
    told = [(each, each.prediction.median) for each in noted]
    errors = [abs(each.started - at) for each, at in told if at is not None]
    bars = [each for each in noted if each.prediction.early is not None and each.prediction.late is not None]
    covered = sum((b.prediction.early or 0) <= b.started <= (b.prediction.late or 0) for b in bars)
    return [
        f"{len(noted)}",
        f"{len(errors)}",
        duration(median(each.started for each in noted)),
        duration(median(errors)),
        f"{covered / len(bars):.0%}",
        f"{sum(b.started < (b.prediction.early or 0) for b in bars)}",
        f"{sum(b.started > (b.prediction.late or 0) for b in bars)}",
    ]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=3000)
    options.add_argument("--looks", type=int, default=15)
    options.add_argument("--seed", type=int, default=5)
    given = options.parse_args()
    cases = list(product(MODELS, _POLICIES))
    table = Table(
        "workload",
        "policy",
        "told",
        "known",
        "median wait",
        "median error",
        "in the bar",
        "sooner",
        "later",
        box=MARKDOWN,
    )
    with ProcessPoolExecutor(cpu_count()) as pool:
        futures = [pool.submit(predicted, case, given.jobs, given.looks, given.seed) for case in cases]
        found = [future.result() for future in track(futures, console=Console(stderr=True))]
    for case, noted in zip(cases, found, strict=True):
        table.add_row(*case, *cells(noted))
    table.add_row("all", "", *cells([each for noted in found for each in noted]))
    console = Console(width=120)
    console.print(table)
    console.print(f"{datetime.now(UTC):%Y-%m-%d}, {cpu_count()} cores, {given.jobs} jobs, seed {given.seed}")


if __name__ == "__main__":
    main()
