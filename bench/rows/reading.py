"""DescribeJobs and ListJobs on a store that holds a million jobs."""

import random
import time
from collections.abc import Callable

import seeding
from figures import Figure, percentile
from row import Bench
from service import Service
from wire import render_request


def measure(bench: Bench) -> list[Figure]:
    """Milliseconds for 100 ids drawn from everywhere and for pages of 100.

    The million are 90 finished arrays of 10,000 and 100,000 finished single jobs, each with its attempt, stored in
    bulk through the store port.
    """
    arrays, singles = bench.scaled(90, quick=1), bench.scaled(100_000, quick=2_000)
    folder = bench.fresh("reading")
    like = seeding.make_folder(folder)
    ids: list[str] = []

    async def work(store: seeding.Store) -> None:
        ids.extend(await seeding.add_finished(store, like, arrays=arrays, singles=singles, say=bench.say))

    seeding.fill(folder, work)
    draw = random.Random(1)
    asked = bench.scaled(400, quick=50)
    parents = sorted({job_id.split(":")[0] for job_id in ids if ":" in job_id})
    with Service(folder, is_new=False) as service:

        def describe() -> bytes:
            return render_request("/v1/describejobs", {"jobs": draw.sample(ids, 100)})

        def list_children() -> bytes:
            where = {"arrayJobId": draw.choice(parents), "jobStatus": "SUCCEEDED", "maxResults": 100}
            return render_request("/v1/listjobs", where)

        bench.say(f"{asked} times DescribeJobs of 100")
        described = _times(service, asked, describe)
        bench.say(f"{asked} pages of ListJobs")
        listed = _times_of_pages(service, asked)
        children = _times(service, asked, list_children)
    stored = arrays * seeding.ARRAY_SIZE + singles
    return [
        _figure(f"DescribeJobs of 100 of {stored:,}, p99", described),
        _figure(f"ListJobs, pages of 100 of a queue of {stored:,}, p99", listed),
        _figure(f"ListJobs, first 100 children of any of {arrays} arrays, p99", children),
    ]


def _times(service: Service, count: int, make: Callable[[], bytes]) -> list[float]:
    took: list[float] = []
    for _ in range(count):
        request = make()
        began = time.perf_counter()
        service.client.send(request)
        took.append((time.perf_counter() - began) * 1000)
    return took


def _times_of_pages(service: Service, count: int) -> list[float]:
    """Of one page after another, from the newest job on, begun anew at the end."""
    took: list[float] = []
    token: dict[str, str] = {}
    for _ in range(count):
        request = render_request(
            "/v1/listjobs", {"jobQueue": "queue", "jobStatus": "SUCCEEDED", "maxResults": 100, **token}
        )
        began = time.perf_counter()
        body = service.client.send(request)
        took.append((time.perf_counter() - began) * 1000)
        found = body.rfind(b'"nextToken":"')
        token = {} if found < 0 else {"nextToken": body[found + 13 :].split(b'"')[0].decode()}
    return took


def _figure(what: str, took: list[float]) -> Figure:
    p99 = percentile(took, 0.99)
    note = f"p50 {percentile(took, 0.5):.1f} ms, slowest {max(took):.1f} ms"
    return Figure(row="reading", what=what, unit="ms", ours=[p99], bar=15, is_rate=False, note=note)
