"""Why a job of a quota share waits, in words with numbers."""

from collections.abc import Iterable

from longshore.scheduling.plan import WaitReason
from longshore.scheduling.quota import Amounts, QuotaShareView, never
from longshore.scheduling.quota_order import Decision, QuotaOrder, Verdict


def explain_quota(order: QuotaOrder, decision: Decision) -> WaitReason:
    """Why the job that comes next does not start now: what its share has and holds, and who goes for it."""
    line = order.first
    assert line is not None
    share, asked = line.job_class.share, line.job_class.units
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
        text = f"asks {amount} {unit}; quota share {share} holds {now.held(share, unit)} of its {mine.limit(unit)}"
        yield text + _borrowing(mine, unit)
        lent = now.idle(unit, lent=True, but=share)
        yield (
            f"all quota shares hold {now.total(unit)} of {view.capacity.get(unit, 0)} {unit}, "
            f"{now.all_borrowed(unit)} of them borrowed; the others lend {lent} more"
        )


def _borrowing(share: QuotaShareView, unit: str) -> str:
    ceiling = share.ceiling(unit)
    if ceiling is None:
        return ", and may borrow whatever others lend"
    more = ceiling - share.limit(unit)
    return f", and may borrow {more} more" if more else ", and may not borrow"
