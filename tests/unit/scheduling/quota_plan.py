"""What becomes of all jobs of a queue with quota shares."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from longshore.scheduling.quota import QuotaView
from longshore.scheduling.quota_order import QuotaOrder, Verdict
from longshore.scheduling.snapshot import WaitingClass


@dataclass(kw_only=True)
class Outcome:
    """Jobs by key, in the order in which they came."""

    started: list[int] = field(default_factory=list[int])
    #: whose room is kept
    kept: list[int] = field(default_factory=list[int])
    #: for whom who has to go
    preempted: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    #: by share
    blocked: dict[str, int] = field(default_factory=dict[str, int])
    never: list[int] = field(default_factory=list[int])


def plan(view: QuotaView, waiting: Sequence[WaitingClass]) -> Outcome:
    """Look at one job after another, as a cycle does."""
    order, found = QuotaOrder(waiting, view), Outcome()
    while (line := order.first) is not None:
        assert line.head is not None
        key, decision = line.head[1], order.decide()
        match decision.verdict:
            case Verdict.START:
                found.started.append(key)
                order.start()
            case Verdict.KEPT:
                found.kept.append(key)
                if decision.victims:
                    found.preempted[key] = [victim.key for victim in decision.victims]
                order.keep(decision.victims)
            case Verdict.BLOCKED:
                found.blocked[line.job_class.share] = key
                list(order.block())
            case Verdict.NEVER:
                found.never.append(key)
                order.set_aside()
    return found
