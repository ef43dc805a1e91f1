"""What open attempts hold beside hosts: consumable resources, limits, and their queue's capacity by share.

What is held follows from the open attempts. What was used before can't be told from them, so it is written when it
changes, with the attempts that change it: what a share has used up to that moment, and what is used up for good.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from longshore.domain.consumption import consumables_of
from longshore.domain.ids import AttemptId, Scope
from longshore.domain.job import Attempt, Job
from longshore.domain.policy import FairsharePolicy
from longshore.domain.queue import Instant, ShareUse
from longshore.ports.store import Reader, Transaction
from longshore.scheduling.classes import class_of, weight_milli
from longshore.scheduling.fairshare import ShareView, use_after
from longshore.scheduling.tally import Tally

QueueName = tuple[Scope, str]
#: One vCPU-second: what a share that has no jobs has left of its use is forgotten below this.
_NEGLIGIBLE_MILLI_SECONDS = 1000.0


class Holdings:
    """Kept in step with attempts by `note`; `flush` writes what must not be lost."""

    def __init__(self) -> None:
        #: when the present turn takes place; None while the present is read from the store
        self.instant: Instant | None = None
        #: what is taken of limits
        self.tally = Tally()
        self._attempts: set[AttemptId] = set()
        self._consumables: Counter[tuple[Scope, str]] = Counter()
        self._milli: dict[QueueName, Counter[str]] = {}
        self._uses: dict[QueueName, dict[str, ShareUse]] = {}
        self._changed: set[tuple[QueueName, str]] = set()
        self._used_up: Counter[tuple[Scope, str]] = Counter()

    def load(self, uses: Iterable[ShareUse]) -> None:
        """Take what shares had used as it was stored."""
        for use in uses:
            self._uses.setdefault((use.scope, use.queue_name), {})[use.share_identifier] = use

    def note(self, attempt: Attempt, job: Job, policy: FairsharePolicy | None) -> None:
        """An attempt is now like this; `policy` is that of its queue."""
        attempt_id = attempt.attempt_id
        was_held = attempt_id in self._attempts
        if was_held is not attempt.has_ended:
            return
        spec, sign = job.spec, -1 if was_held else 1
        queue, share = (spec.scope, spec.queue_name), spec.share or ""
        if policy is not None and share and self.instant is not None:
            self._bring_forward(queue, share, policy, self.instant)
        self._milli.setdefault(queue, Counter())[share] += sign * weight_milli(spec.resources, spec.instances)
        for name, quantity in consumables_of(spec):
            self._consumables[spec.scope, name] += sign * quantity
            if was_held and attempt.started_at is not None:
                self._used_up[spec.scope, name] += quantity
        (self.tally.remove if was_held else self.tally.add)(job.key, class_of(spec))
        (self._attempts.remove if was_held else self._attempts.add)(attempt_id)

    def _bring_forward(self, queue: QueueName, share: str, policy: FairsharePolicy, now: Instant) -> None:
        uses = self._uses.setdefault(queue, {})
        uses[share] = self._use_at(queue, share, policy, now)
        self._changed.add((queue, share))

    def _use_at(self, queue: QueueName, share: str, policy: FairsharePolicy, now: Instant) -> ShareUse:
        known = self._uses.get(queue, {}).get(share)
        if known is None:
            return ShareUse(scope=queue[0], queue_name=queue[1], share_identifier=share, milli_seconds=0.0, at=now)
        held = self.held_by(queue)[share]
        used = use_after(known.milli_seconds, held, now.seconds_since(known.at), policy)
        return replace(known, milli_seconds=used, at=now)

    def flush(self, tx: Transaction) -> bool:
        """Write what has changed; returns whether there is less of a consumable resource now."""
        if self._changed:
            tx.save_share_uses(self._uses[queue][share] for queue, share in sorted(self._changed))
            self._changed.clear()
        lessened = False
        for (scope, name), quantity in self._used_up.items():
            resource = tx.consumable(scope, name)
            if resource is not None and resource.resource_type == "NON_REPLENISHABLE":
                tx.put_consumable(replace(resource, used_up=resource.used_up + quantity))
                lessened = True
        self._used_up.clear()
        return lessened

    def held_of(self, scope: Scope, consumable: str) -> int:
        """What is held of a consumable resource."""
        return self._consumables[scope, consumable]

    def held_by(self, queue: QueueName) -> Mapping[str, int]:
        """Thousandths of a vCPU, or of an instance, that jobs of the queue hold, by share."""
        return self._milli.get(queue) or Counter()

    def shares(
        self, reader: Reader, queue: QueueName, policy: FairsharePolicy, now: Instant
    ) -> Mapping[str, ShareView]:
        """The active shares of a fair-share queue."""
        held = self.held_by(queue)
        active = {share for share, milli in held.items() if milli} | set(reader.live_shares(*queue))
        for share, use in self._uses.get(queue, {}).items():
            if now.seconds_since(use.at) < policy.window_seconds:
                active.add(share)
        return {
            share: ShareView(
                milli_seconds=self._use_at(queue, share, policy, now).milli_seconds, held_milli=held[share]
            )
            for share in sorted(active)
        }

    def forget(self, tx: Transaction, policies: Mapping[QueueName, FairsharePolicy], now: Instant) -> None:
        """Forget queues that are gone, and shares of which next to nothing is left."""
        for queue, uses in list(self._uses.items()):
            policy = policies.get(queue)
            if policy is None:
                del self._uses[queue]
                continue
            held = self.held_by(queue)
            old = [
                use
                for share, use in uses.items()
                if not held[share]
                and now.seconds_since(use.at) >= policy.window_seconds
                and self._use_at(queue, share, policy, now).milli_seconds < _NEGLIGIBLE_MILLI_SECONDS
            ]
            tx.forget_share_uses(old)
            for use in old:
                del uses[use.share_identifier]
