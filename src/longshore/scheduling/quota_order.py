"""Who comes next in a queue with quota shares, and who has to go for whom. The rules are those of `quota`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from heapq import heapify, heappop, heappush

from longshore.domain.ids import JobKey
from longshore.scheduling.lines import Line, Lines
from longshore.scheduling.quota import Account, Amounts, Holder, QuotaView, never
from longshore.scheduling.snapshot import WaitingClass


class Verdict(Enum):
    """What becomes of the job that comes next."""

    START = "it may start"
    #: room is being made for it, by `Decision.waits_for`
    KEPT = "its room is kept for it"
    BLOCKED = "it has to wait, and so have those behind it in its share"
    NEVER = "it can't start as its share and the others are set up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether the job that comes next may start."""

    verdict: Verdict
    #: of KEPT: those that are to be stopped, from now on
    victims: Sequence[Holder] = ()


class QuotaOrder:
    """The queue's jobs as they come next: those within the limits of their shares, then borrowers; by submission.

    Within a share the higher priority comes first, and then who was submitted first.
    """

    def __init__(self, waiting: Sequence[WaitingClass], view: QuotaView) -> None:
        self.view = view
        #: what is held now, and by those that stay
        self.now = Account(view, view.holders)
        self._staying = {holder.key: holder for holder in view.holders if not holder.is_going}
        self._soon = Account(view, self._staying.values())
        #: units that nobody may borrow more of, since somebody waits for them
        self.closed: set[str] = set()
        by_share: dict[str, list[Line]] = {}
        for each in waiting:
            by_share.setdefault(each.job_class.share, []).append(Line(each))
        self._shares = {share: Lines(lines) for share, lines in by_share.items()}
        #: by share, those that will wait again, who comes first at the end
        self._returning: dict[str, list[Holder]] = {}
        #: shares in which one that will wait again has to wait, and keeps others waiting
        self.held_up: set[str] = set()
        self._heap: list[tuple[bool, int, str]] = []
        self._expect([holder for holder in view.holders if holder.is_going])
        self._line_up()

    def _expect(self, going: Sequence[Holder]) -> None:
        """These take their places in their shares again."""
        for holder in going:
            if holder.returns_at is not None and holder.share in self.view.shares:
                self._returning.setdefault(holder.share, []).append(holder)
        for returning in self._returning.values():
            returning.sort(key=_place, reverse=True)

    def _line_up(self) -> None:
        self.held_up.clear()
        shares = self._shares.keys() | self._returning.keys()
        self._heap = [entry for share in shares if (entry := self._entry(share)) is not None]
        heapify(self._heap)
        self._let_return()

    def _entry(self, share: str) -> tuple[bool, int, str] | None:
        returning, first = self._next_return(share), self._head(share)
        if returning is not None and returning.returns_at is not None:
            asked, intake = returning.amounts, returning.returns_at
        elif first is not None and first.head is not None:
            asked, intake = self.asked(first), first.head[0]
        else:
            return None
        # What can never start goes aside first: an owner may be behind it, and would find its own just borrowed.
        comes_first = bool(never(self.view, share, asked)) or self._soon.is_own(share, asked)
        return not comes_first, intake, share

    def _head(self, share: str) -> Line | None:
        return self._shares[share].first if share in self._shares else None

    def _next_return(self, share: str) -> Holder | None:
        """Who will wait again in the share, before all others that wait there; None when there is no such."""
        returning, first = self._returning.get(share), self._head(share)
        if not returning or share in self.held_up:
            return None
        if (
            first is not None
            and first.head is not None
            and (-first.job_class.priority, first.head[0]) < _place(returning[-1])
        ):
            return None
        return returning[-1]

    def _let_return(self) -> None:
        """Those that come next and will wait again are given their room, or keep their shares waiting."""
        while self._heap and (returning := self._next_return(share := self._heap[0][-1])) is not None:
            asked = returning.amounts
            before = {unit: self._soon.borrowed(share, unit) for unit in asked}
            if never(self.view, share, asked):
                self._returning[share].pop()
            elif self._may_start(share, asked, before):
                self._returning[share].pop()
                self._soon.add(share, asked)
            else:
                self.held_up.add(share)
                self.closed.update(unit for unit, amount in asked.items() if amount)
            heappop(self._heap)
            entry = self._entry(share)
            if entry is not None:
                heappush(self._heap, entry)

    @property
    def first(self) -> Line | None:
        """The line whose head comes next; None when nobody is left."""
        return self._shares[self._heap[0][-1]].first if self._heap else None

    def asked(self, line: Line) -> Amounts:
        """What a job of this line asks for, as far as it is counted."""
        return self.view.asked(line.job_class.units)

    def held(self) -> Mapping[str, Amounts]:
        """What each share holds."""
        return self.now.by_share()

    def fronts(self) -> Mapping[str, JobKey]:
        """The first job of each share."""
        firsts = {share: lines.first for share, lines in sorted(self._shares.items())}
        return {share: line.head[1] for share, line in firsts.items() if line is not None and line.head is not None}

    def start(self) -> None:
        """The head has started."""
        self._give(is_now=True)

    def keep(self, victims: Sequence[Holder]) -> None:
        """The head's room is kept for it; the victims are being stopped."""
        for victim in victims:
            self._soon.add(victim.share, victim.amounts, -1)
            del self._staying[victim.key]
        self._give(is_now=False)
        if victims:
            self._expect(victims)
            self._line_up()

    def _give(self, *, is_now: bool) -> None:
        share = heappop(self._heap)[-1]
        lines = self._shares[share]
        assert lines.first is not None
        asked = self.asked(lines.first)
        self._soon.add(share, asked)
        if is_now:
            self.now.add(share, asked)
        lines.step()
        self._push(share)

    def _push(self, share: str) -> None:
        entry = self._entry(share)
        if entry is not None:
            heappush(self._heap, entry)
        self._let_return()

    def set_aside(self) -> None:
        """No job of the first line can start now, and it keeps nobody else from it."""
        share = heappop(self._heap)[-1]
        self._shares[share].drop()
        self._push(share)

    def block(self) -> Iterator[Line]:
        """The head has to wait, and its share with it; returns the lines that are left there.

        Nobody borrows what it waits for.
        """
        share = heappop(self._heap)[-1]
        lines = self._shares.pop(share)
        self._returning.pop(share, None)
        assert lines.first is not None
        self.closed.update(unit for unit, amount in self.asked(lines.first).items() if amount)
        self._let_return()
        return lines.rest()

    def rest(self) -> Iterator[Line]:
        """The lines that are left."""
        return (line for _, _, share in self._heap if share in self._shares for line in self._shares[share].rest())

    def decide(self) -> Decision:
        """What becomes of the head."""
        line = self.first
        assert line is not None
        share, asked = line.job_class.share, self.asked(line)
        if never(self.view, share, asked):
            return Decision(verdict=Verdict.NEVER)
        if share in self.held_up:
            return Decision(verdict=Verdict.BLOCKED)
        before = {unit: self._soon.borrowed(share, unit) for unit in asked}
        if self._may_start(share, asked, before):
            return Decision(verdict=Verdict.START if self.now.allows(share, asked) else Verdict.KEPT)
        victims = self._choose(share, asked, line.job_class.priority, before)
        return Decision(verdict=Verdict.KEPT if victims else Verdict.BLOCKED, victims=victims)

    def _may_start(self, share: str, asked: Amounts, before: Amounts) -> bool:
        """Whether there is room once all have gone that are to go; `before` is what the share borrowed until then.

        Where others wait, a share may not borrow more than that.
        """
        return self._soon.allows(share, asked) and all(
            self._soon.borrowed_with(share, unit, amount) <= before[unit]
            for unit, amount in asked.items()
            if amount and unit in self.closed
        )

    def _choose(self, share: str, asked: Amounts, priority: int, before: Amounts) -> Sequence[Holder]:
        """Who has to go so that a job may start; empty when it could not even then."""
        soon, chosen = self._soon, list[Holder]()
        for find in (self._borrower, self._lower, self._borrower):
            while not self._may_start(share, asked, before) and (victim := find(share, asked, priority)) is not None:
                soon.add(victim.share, victim.amounts, -1)
                del self._staying[victim.key]
                chosen.append(victim)
        needed: list[Holder] = []
        is_enough = self._may_start(share, asked, before)
        for victim in reversed(chosen):
            soon.add(victim.share, victim.amounts)
            if is_enough and not self._may_start(share, asked, before):
                soon.add(victim.share, victim.amounts, -1)
                needed.append(victim)
        for victim in needed:
            soon.add(victim.share, victim.amounts)
        self._staying.update((victim.key, victim) for victim in chosen)
        return needed[::-1]

    def _borrower(self, share: str, asked: Amounts, priority: int) -> Holder | None:
        """The next to go from shares that hold more than their limits of what a job within its own asks for."""
        if not self._soon.is_own(share, asked):
            return None
        found = (
            (not all(self._soon.borrowed(each.share, unit) >= amount for unit, amount in each.amounts.items()), each)
            for each in self._staying.values()
            if each.share != share
            and any(each.amounts.get(unit) and self._soon.borrowed(each.share, unit) for unit in asked)
        )
        return min(found, key=lambda pair: (pair[0], *_worth(pair[1])), default=(True, None))[1]

    def _lower(self, share: str, asked: Amounts, priority: int) -> Holder | None:
        """The next to go from the job's own share, with a lower priority than it has."""
        if not self.view.shares[share].has_in_share_preemption:
            return None
        found = (
            each
            for each in self._staying.values()
            if each.share == share and each.priority < priority and any(each.amounts.get(unit) for unit in asked)
        )
        return min(found, key=_worth, default=None)


def _place(holder: Holder) -> tuple[int, int]:
    """Where one that was preempted waits in its share again."""
    assert holder.returns_at is not None
    return -holder.priority, holder.returns_at


def _worth(holder: Holder) -> tuple[int, float, int]:
    return holder.priority, -holder.placed_at, -holder.key
