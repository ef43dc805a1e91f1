"""What limits leave: counted over jobs that run, and within a cycle.

A job that a limit keeps from starting steps aside, and others pass it. The first one to lack a limit has it kept for
it in this cycle, so that smaller jobs behind it, or such as come with a higher number of the same key, never starve it.
With it is kept what is narrower, and of a queue's caps also what it takes of consumable resources. Of what is wider
nothing is: a job that waits for its key takes no place in its queue from others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from longshore.domain.ids import JobKey
from longshore.scheduling.classes import JobClass
from longshore.scheduling.limits import Cap, Counted, Limit, LimitKind, Use

#: How many holders of a key are named.
_NAMED = 3
_NOTHING = Use()


def _queue(job_class: JobClass) -> Counted:
    return Counted(scope=job_class.scope, kind=LimitKind.QUEUE, name=job_class.queue_name)


def _share(job_class: JobClass) -> Counted:
    # No name of a queue or a share has a slash.
    name = f"{job_class.queue_name}/{job_class.share}"
    return Counted(scope=job_class.scope, kind=LimitKind.SHARE, name=name)


def limits_on(job_class: JobClass, caps: Sequence[Cap]) -> tuple[Limit, ...]:
    """All limits on jobs of a class in a queue with these caps, the narrowest first."""
    limits = list(job_class.limits)
    for cap in caps:
        if job_class.share or not cap.is_per_share:
            counted = _share(job_class) if cap.is_per_share else _queue(job_class)
            limits.append(Limit(counted=counted, unit=cap.unit, most=cap.most))
    return tuple(limits)


class Tally:
    """What running jobs take of everything that may be limited, kept in step with them."""

    def __init__(self) -> None:
        self._uses: dict[Counted, Use] = {}
        #: of what jobs bring limits on: who takes of it, with the most that each came with
        self._holders: dict[Counted, dict[JobKey, int]] = {}

    def uses(self) -> Mapping[Counted, Use]:
        """As they are now; what nobody takes of is left out."""
        return dict(self._uses)

    def add(self, key: JobKey, job_class: JobClass) -> None:
        """A job of the class runs from now on."""
        for limit in job_class.limits:
            self._holders.setdefault(limit.counted, {})[key] = limit.most
        self._count(job_class, 1)

    def remove(self, key: JobKey, job_class: JobClass) -> None:
        """It runs no more."""
        for limit in job_class.limits:
            del self._holders[limit.counted][key]
        self._count(job_class, -1)

    def _count(self, job_class: JobClass, sign: int) -> None:
        everything = [*(limit.counted for limit in job_class.limits), _queue(job_class)]
        if job_class.share:
            everything.append(_share(job_class))
        for counted in everything:
            before = self._uses.get(counted, _NOTHING)
            jobs, vcpu_milli = before.jobs + sign, before.vcpu_milli + sign * job_class.resources.vcpu_milli
            holders = self._holders.get(counted, {})
            if jobs:
                is_key = counted.kind is LimitKind.KEY
                self._uses[counted] = Use(
                    jobs=jobs,
                    vcpu_milli=vcpu_milli,
                    lowest=min(holders.values()) if is_key else None,
                    holders=tuple(islice(holders, _NAMED)) if is_key else (),
                )
            else:
                del self._uses[counted]
                self._holders.pop(counted, None)


class LimitRoom:
    """What limits leave while a cycle runs."""

    def __init__(self, uses: Mapping[Counted, Use]) -> None:
        self._before = uses
        self._now: dict[Counted, Use] = {}
        #: what somebody waits for
        self._awaited: set[Counted] = set()

    def before(self, limit: Limit) -> Use:
        """What was taken of it when the cycle began."""
        return self._before.get(limit.counted, _NOTHING)

    def now(self, limit: Limit) -> Use:
        """What is taken of it, or kept, by now."""
        return self._now.get(limit.counted) or self.before(limit)

    def lacking(self, job_class: JobClass, limits: Sequence[Limit]) -> Sequence[Limit]:
        """Those of `limits` that keep a job of the class from starting now."""
        return [limit for limit in limits if self._exceeds(job_class, limit)]

    def _exceeds(self, job_class: JobClass, limit: Limit) -> bool:
        use = self.now(limit)
        most = limit.most if use.lowest is None else min(limit.most, use.lowest)
        return use.of(limit.unit) + asked_of(job_class, limit) > most

    def take(self, job_class: JobClass, limits: Sequence[Limit]) -> None:
        """A job of the class starts, or it comes before all others that it shares a limit with."""
        for counted in {limit.counted: None for limit in limits}:
            use = self._now.get(counted) or self._before.get(counted, _NOTHING)
            mosts = [limit.most for limit in limits if limit.counted == counted and counted.kind is LimitKind.KEY]
            self._now[counted] = replace(
                use,
                jobs=use.jobs + 1,
                vcpu_milli=use.vcpu_milli + job_class.resources.vcpu_milli,
                lowest=min((most for most in (*mosts, use.lowest) if most is not None), default=None),
            )

    def keep(self, job_class: JobClass, limits: Sequence[Limit], lacking: Sequence[Limit]) -> bool:
        """Keep for a job that steps aside what it lacks; returns whether other things that it takes are to be kept too.

        With none that is `lacking` it waits for something else, and keeps only the limits that it brings. A job behind
        another that lacks the same keeps nothing, and nor does one that asks for more than a limit ever allows.
        """
        width = min((limit.counted.width for limit in lacking), default=0)
        narrowest = {limit.counted for limit in lacking if limit.counted.width == width}
        if narrowest & self._awaited or any(asked_of(job_class, limit) > limit.most for limit in lacking):
            return False
        self._awaited |= narrowest
        self.take(job_class, [limit for limit in limits if limit.counted.width <= width])
        return width > 0


def asked_of(job_class: JobClass, limit: Limit) -> int:
    """What one job of the class takes of a limit."""
    return 1 if limit.unit == "jobs" else job_class.resources.vcpu_milli
