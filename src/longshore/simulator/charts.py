"""Pictures of a comparison. matplotlib is only loaded when one is drawn; nothing needs a screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from longshore.simulator.comparison import Setting
from longshore.simulator.replay import Replay
from longshore.simulator.trace import Seconds

FORMATS = (".png", ".svg")
_BINS = 400
_SHARES_SHOWN = 8
_HOUR = 3600.0
_DAY = 86_400.0


class ChartsMissing(Exception):
    """matplotlib is not installed."""


def draw(setting: Setting, replays: Sequence[Replay], path: Path) -> None:
    """One picture: waits, utilisation, queue, and below them who used how much under each policy.

    Raises:
        ChartsMissing: says how to install what is missing.
        OSError: the file can't be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise ChartsMissing("charts need matplotlib: pip install 'longshore[charts]'") from problem
    figure: Any = Figure(figsize=(15, 9), layout="constrained")
    FigureCanvasAgg(figure)
    top, below = figure.subfigures(2, 1)
    waits, use, queue = top.subplots(1, 3)
    ends = [np.nan_to_num(each.started_at + setting.trace.held_seconds) for each in replays]
    edges = np.linspace(0.0, max(float(end.max(initial=1.0)) for end in ends), _BINS + 1)
    for each in replays:
        _draw_waits(waits, setting, each)
        _draw_use(use, setting, each, edges)
        _draw_queue(queue, setting, each, edges)
    waits.set(title="Waits", xlabel="hours waited, at most", ylabel="part of the jobs", xscale="symlog", ylim=(0, 1.01))
    use.set(title="Utilisation", xlabel="days", ylabel="part of the fleet's vCPU", ylim=(0, 1.01))
    queue.set(title="Queue", xlabel="days", ylabel="jobs that wait")
    waits.legend(loc="lower right")
    below.suptitle("vCPU in use by share")
    for axes, each in zip(below.subplots(1, len(replays), sharey=True, squeeze=False)[0], replays, strict=True):
        _draw_shares(axes, setting, each, edges)
    figure.savefig(path, dpi=110)


def _draw_waits(axes: Any, setting: Setting, replay: Replay) -> None:
    waits = np.sort((replay.started_at - setting.trace.submitted_at)[~np.isnan(replay.started_at)]) / _HOUR
    parts = np.linspace(0.0, 1.0, 1001)
    axes.plot(np.quantile(waits, parts) if len(waits) else parts * 0, parts, label=replay.policy.name)


def _draw_use(axes: Any, setting: Setting, replay: Replay, edges: Seconds) -> None:
    held = busy(replay.started_at, setting.trace.held_seconds, setting.trace.vcpu_milli.astype(float), edges)
    axes.plot(edges[:-1] / _DAY, held / setting.fleet.total.vcpu_milli, linewidth=1, label=replay.policy.name)


def _draw_queue(axes: Any, setting: Setting, replay: Replay, edges: Seconds) -> None:
    submitted = setting.trace.submitted_at
    waits = np.where(np.isnan(replay.started_at), edges[-1], replay.started_at) - submitted
    axes.plot(edges[:-1] / _DAY, busy(submitted, waits, np.ones(len(submitted)), edges), linewidth=1)


def _draw_shares(axes: Any, setting: Setting, replay: Replay, edges: Seconds) -> None:
    trace = setting.trace
    volumes = np.bincount(trace.share, weights=trace.held_seconds * trace.vcpu_milli, minlength=len(trace.shares))
    shown = np.argsort(-volumes, kind="stable")[:_SHARES_SHOWN]
    layers = [_use_of(setting, replay, trace.share == share, edges) for share in shown]
    names = [trace.shares[int(share)] for share in shown]
    if len(trace.shares) > _SHARES_SHOWN:
        layers.append(_use_of(setting, replay, ~np.isin(trace.share, shown), edges))
        names.append("others")
    axes.stackplot(edges[:-1] / _DAY, layers, labels=names)
    axes.set(title=replay.policy.name, xlabel="days")
    axes.legend(loc="upper right", fontsize="x-small")


def _use_of(setting: Setting, replay: Replay, jobs: Any, edges: Seconds) -> Seconds:
    trace = setting.trace
    return busy(replay.started_at[jobs], trace.held_seconds[jobs], trace.vcpu_milli[jobs] / 1000, edges)


def busy(begins: Seconds, lengths: Seconds, amounts: Seconds, edges: Seconds) -> Seconds:
    """The mean of what is held between each two edges, when each holds its amount from its begin for its length."""
    has_begun = ~np.isnan(begins)
    begins, lengths, amounts = begins[has_begun], lengths[has_begun], amounts[has_begun]
    order, ends_order = np.argsort(begins), np.argsort(begins + lengths)
    began = _held_until(begins[order], amounts[order], edges)
    ended = _held_until((begins + lengths)[ends_order], amounts[ends_order], edges)
    return np.diff(began - ended) / np.diff(edges)


def _held_until(begins: Seconds, amounts: Seconds, edges: Seconds) -> Seconds:
    """Amount times seconds up to each edge, when each holds its amount from its begin for ever."""
    sums = np.concatenate([[0.0], amounts.cumsum()])
    moments = np.concatenate([[0.0], (amounts * begins).cumsum()])
    at = np.searchsorted(begins, edges, side="right")
    return sums[at] * edges - moments[at]
