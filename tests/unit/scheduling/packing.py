"""How much less we place than could be placed at best: `make packing`.

Small cases: jobs of one queue that ask for nine tenths of the vCPU, memory or GPUs of idle hosts and may pass each
other where they fit. An integer program finds the placement that uses the most vCPU, with no regard to the order of
the jobs; we go by that order, so a part of the gap is its price. *First fit* stands beside it: the same order, the
first host with room.
"""

import sys
from collections.abc import Sequence
from random import Random
from statistics import mean

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from longshore.domain.resources import Resources
from longshore.scheduling.cycle import plan_cycle
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, some, waiting

CASES = 200


def a_case(rng: Random) -> tuple[Sequence[Resources], Sequence[Resources]]:
    """Hosts, some with GPUs, and about as many jobs as fill them."""
    sizes = [(rng.choice((4, 8)), rng.choice((8, 16, 32)), rng.choice((0, 0, 2))) for _ in range(rng.randint(2, 4))]
    hosts = [some(vcpus, 1024 * gib, gpus) for vcpus, gib, gpus in sizes]
    there = sum(hosts, Resources())
    jobs, asked = list[Resources](), Resources()
    while True:
        gpus = int(there.gpus > asked.gpus and rng.random() < 0.3)
        job = some(rng.choice((1, 2, 3, 4)), 1024 * rng.choice((1, 2, 4, 8)), gpus)
        asked += job
        if any(10 * want > 9 * have for want, have in zip(asked.amounts[:2], there.amounts[:2], strict=True)):
            return hosts, jobs or [job]
        jobs.append(job)


def placed(hosts: Sequence[Resources], jobs: Sequence[Resources]) -> int:
    """The vCPU (thousandths) that a cycle places."""
    names = [f"h{at}" for at in range(len(hosts))]
    by_shape: dict[Resources, list[int]] = {}
    for at, asked in enumerate(jobs):
        by_shape.setdefault(asked, []).append(at + 1)
    snapshot = a_snapshot(
        *(waiting(asked, *intakes) for asked, intakes in by_shape.items()),
        hosts=[a_host(name, total) for name, total in zip(names, hosts, strict=True)],
        environments=[a_view(hosts=names)],
        queues=[a_line(backfill="greedy")],
        oversize="wait",
    )
    return sum(placement.resources.vcpu_milli for placement in plan_cycle(snapshot).placements)


def first_fit(hosts: Sequence[Resources], jobs: Sequence[Resources]) -> int:
    """The same of the first host with room."""
    left, total = list(hosts), 0
    for asked in jobs:
        at = next((at for at, free in enumerate(left) if asked.fits(free)), None)
        if at is not None:
            left[at] -= asked
            total += asked.vcpu_milli
    return total


def best(hosts: Sequence[Resources], jobs: Sequence[Resources]) -> int:
    """The most that can be placed: one variable for each job on each host, which is 1 where it is placed."""
    count = len(hosts) * len(jobs)
    once = np.zeros((len(jobs), count))
    kinds = len(Resources().amounts)
    used = np.zeros((len(hosts) * kinds, count))
    for job, asked in enumerate(jobs):
        for host in range(len(hosts)):
            at = job * len(hosts) + host
            once[job, at] = 1
            used[host * kinds : (host + 1) * kinds, at] = asked.amounts
    there = np.array([total.amounts for total in hosts]).ravel()
    worth = np.repeat([asked.vcpu_milli for asked in jobs], len(hosts))
    found = milp(
        -worth,
        constraints=[LinearConstraint(once, ub=1), LinearConstraint(used, ub=there)],
        integrality=np.ones(count),
        bounds=Bounds(0, 1),
    )
    assert found.status == 0, found.message
    return round(-found.fun)


def gaps(cases: int, first: int = 0) -> tuple[list[float], list[float]]:
    """By how much of the best ours falls short in each case, and first fit."""
    ours, others = list[float](), list[float]()
    for seed in range(first, first + cases):
        hosts, jobs = a_case(Random(seed))
        most = best(hosts, jobs)
        ours.append(1 - placed(hosts, jobs) / most)
        others.append(1 - first_fit(hosts, jobs) / most)
    return ours, others


def main() -> None:
    """Print the gaps."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    for name, found in zip(("best fit", "first fit"), gaps(cases), strict=True):
        exact = sum(gap < 1e-9 for gap in found)
        print(
            f"{name}: {mean(found):.2%} below the best on average, {max(found):.1%} at most, "
            f"none in {exact} of {cases} cases"
        )


if __name__ == "__main__":
    main()
