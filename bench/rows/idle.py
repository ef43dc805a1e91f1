"""What a server costs that has nothing to do, and how soon it answers."""

import time

from figures import Figure
from row import Bench
from service import Service


def measure(bench: Bench) -> list[Figure]:
    """Share of a core, resident memory, seconds to the first answer; the server and its runner together."""
    watched = bench.scaled(30, quick=5)
    fresh, again = list[float](), list[float]()
    with Service(bench.fresh("idle")) as service:
        fresh.append(service.seconds_to_answer)
        service.register("true", ["/bin/true"])
        service.wait_for_end(service.submit("true"))
        time.sleep(3)
        bench.say(f"an idle server, watched for {watched} s")
        used, began = service.cpu_seconds(), time.monotonic()
        time.sleep(watched)
        share = (service.cpu_seconds() - used) / (time.monotonic() - began) * 100
        memory = service.memory_mib()
    for turn in range(bench.scaled(4, quick=1)):
        bench.say(f"start {turn + 1}")
        with Service(bench.fresh(f"idle-{turn}")) as service:
            fresh.append(service.seconds_to_answer)
            service.stop()
            service.start()
            again.append(service.seconds_to_answer)
    both = "server and runner together"
    return [
        Figure(row="idle", what=f"idle, {both}", unit="% of a core", ours=[share], bar=1, is_rate=False),
        Figure(
            row="idle",
            what=f"resident, {both}",
            unit="MiB",
            ours=[memory],
            bar=120,
            is_rate=False,
            note="the sum of their resident sets: pages that both map count twice",
        ),
        Figure(row="idle", what="start to first answer, new folder", unit="s", ours=fresh, bar=1.5, is_rate=False),
        Figure(row="idle", what="start to first answer, known folder", unit="s", ours=again, bar=1.5, is_rate=False),
    ]
