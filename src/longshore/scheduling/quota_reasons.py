"""Why a job of a quota share waits, in words with numbers."""

from collections.abc import Iterable

from longshore.domain.quota import parts_of
from longshore.scheduling.plan import WaitReason
from longshore.scheduling.quota import Amounts, QuotaShareView, never
from longshore.scheduling.quota_order import Decision, QuotaOrder, Verdict


def explain_quota(order: QuotaOrder, decision: Decision) -> WaitReason:
    """Why the job that comes next does not start now: what its share has and holds, and who goes for it."""
    line = order.first
    assert line is not None
    share, asked = line.job_class.share, order.asked(line)
    causes = tuple(_standing(order, share, asked))
    code = ""
    if decision.verdict is Verdict.NEVER:
        code = never(order.view, share, asked)
    elif decision.verdict is Verdict.KEPT:
        ending = "jobs are being stopped for it" if decision.victims else "jobs that end make room for it"
        causes = (*causes, f"{ending}, and what they leave is kept for it")
    elif share in order.held_up:
        causes = (*causes, "a job of its quota share that is being preempted comes before it again")
    elif line.head is not None and (waiting := sorted(order.closed.intersection(asked))):
        causes = (*causes, f"jobs of other quota shares wait for {', '.join(waiting)} before it")
    short = "; ".join(causes)
    return WaitReason(
        status_reason=f"{code} ({short})" if code else f"Waiting: {short}",
        causes=causes,
        code=code,
        preempted=tuple(victim.key for victim in decision.victims),
    )


def _standing(order: QuotaOrder, share: str, asked: Amounts) -> Iterable[str]:
    view, now = order.view, order.now
    mine = view.shares.get(share)
    if mine is None:
        yield f"quota share {share} does not exist"
        return
    for unit, amount in asked.items():
        parts = parts_of(unit)
        has = f"{now.held(share, unit) / parts:.10g} of its {mine.limit(unit) / parts:.10g}"
        yield f"asks {amount / parts:.10g} {unit}; quota share {share} holds {has}{_borrowing(mine, unit)}"
        total, capacity = now.total(unit) / parts, view.capacity.get(unit, 0) / parts
        borrowed, lent = now.all_borrowed(unit) / parts, now.idle(unit, lent=True, but=share) / parts
        yield (
            f"all quota shares hold {total:.10g} of {capacity:.10g} {unit}, "
            f"{borrowed:.10g} of them borrowed; the others lend {lent:.10g} more"
        )


def _borrowing(share: QuotaShareView, unit: str) -> str:
    ceiling = share.ceiling(unit)
    if ceiling is None:
        return ", and may borrow whatever others lend"
    more = (ceiling - share.limit(unit)) / parts_of(unit)
    return f", and may borrow {more:.10g} more" if more else ", and may not borrow"
