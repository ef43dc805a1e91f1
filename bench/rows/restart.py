"""A restart with many waiting jobs, to the first dispatch."""

import seeding
from figures import Figure
from row import Bench
from service import Service, discard

CLASSES = 5


def measure(bench: Bench) -> list[Figure]:
    """Seconds from the start of the process to the `startedAt` of the first job.

    The jobs are single ones, stored in bulk through the store port as RUNNABLE; five classes take turns, so no two
    neighbours share a run, which is the dearest case.
    """
    count = bench.scaled(100_000, quick=2_000)
    template = bench.fresh("restart")
    like = seeding.make_folder(template)
    first: list[str] = []

    async def work(store: seeding.Store) -> None:
        first.append(await seeding.add_waiting(store, like, count=count, classes=CLASSES, say=bench.say))

    seeding.fill(template, work)
    took, answers = list[float](), list[float]()
    for turn in range(bench.scaled(3, quick=1)):
        bench.say(f"start {turn + 1}")
        folder = bench.fresh(f"restart-{turn}")
        discard(folder)
        seeding.copy_folder(template, folder)
        with Service(folder, is_new=False) as service:
            job = service.wait_for_end(first[0])
            took.append(job["startedAt"] / 1000 - service.started_at)
            answers.append(service.seconds_to_answer)
        discard(folder)
    return [
        Figure(
            row="restart",
            what=f"start with {count:,} waiting jobs, to first dispatch",
            unit="s",
            ours=took,
            bar=5,
            is_rate=False,
            note=f"it answered requests after {max(answers):.1f} s at most",
        )
    ]
