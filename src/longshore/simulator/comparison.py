"""Several policies over one trace, each in a process of its own."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from ctypes import c_int64
from dataclasses import dataclass
from multiprocessing.sharedctypes import SynchronizedArray

from longshore.simulator.fleet import Fleet
from longshore.simulator.policies import Policy
from longshore.simulator.replay import Replay, replay
from longshore.simulator.trace import Trace

#: How often the one who watches hears of it.
_WATCH_SECONDS = 0.25

Progress = Callable[[Sequence[int]], None]
_started: "SynchronizedArray[int]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all policies of a comparison have in common."""

    trace: Trace
    fleet: Fleet
    #: between two cycles; 0: one whenever something changes
    interval_seconds: float = 0.0
    #: for how long use counts under fair policies; 0: as short as AWS Batch has it
    decay_seconds: int = 0


def compare(
    setting: Setting, policies: Sequence[Policy], *, processes: int, on_progress: Progress | None = None
) -> list[Replay]:
    """The replays in the order of `policies`. `on_progress` hears how many jobs have started under each."""
    context = multiprocessing.get_context("spawn")
    counts: SynchronizedArray[int] = context.Array(c_int64, len(policies))
    with ProcessPoolExecutor(
        min(processes, len(policies)), mp_context=context, initializer=_remember, initargs=(counts,)
    ) as pool:
        futures = [pool.submit(_replay, setting, policy, number) for number, policy in enumerate(policies)]
        running = set(futures)
        try:
            while running:
                _, running = wait(running, timeout=_WATCH_SECONDS)
                if on_progress is not None:
                    on_progress([counts[number] for number in range(len(policies))])
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _remember(counts: "SynchronizedArray[int]") -> None:
    """In the process of a replay: where it says how far it is."""
    global _started
    _started = counts


def _replay(setting: Setting, policy: Policy, number: int) -> Replay:
    def on_progress(count: int) -> None:
        _started[number] = count

    return replay(
        setting.trace,
        setting.fleet,
        policy,
        interval_seconds=setting.interval_seconds,
        decay_seconds=setting.decay_seconds,
        on_progress=on_progress,
    )
