"""Planted faults: each changes a line or two of the real code, and the simulation must see what comes of it.

A fault is planted in processes of its own, which are thrown away with it. When the code under test has changed so that
a fault can't be planted any more, that is an error: the list must follow.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, cast

from longshore.control import dependencies, fronts, intake, ledger, reconciler, scheduler
from longshore.control.changes import Changes
from longshore.control.holdings import Holdings
from longshore.control.lane import Lane
from longshore.control.leader import Leader
from longshore.control.ledger import Ledger
from longshore.control.present import Present
from longshore.control.start_deadlines import StartDeadlines
from longshore.domain import dependency
from longshore.domain.lifecycle import attempts, machine, parts, settling
from longshore.scheduling.cycle import Cycle
from longshore.scheduling.fairshare import Standings
from longshore.scheduling.fitting import Room
from longshore.scheduling.order import FairOrder, Lines
from longshore.service import waits
from longshore.service.client_tokens import TokenCall
from longshore.store.consumables import ConsumableRows
from longshore.testing.simulation.runner import Failure, run_seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One place in a function of the real code, and what stands there instead."""

    owner: type | ModuleType
    function: str
    old: str
    new: str

    def plant(self) -> None:
        """Put the changed function in the place of the real one, wherever it is known."""
        real = getattr(self.owner, self.function)
        text = textwrap.dedent(_SOURCES.get((self.owner, self.function)) or inspect.getsource(real))
        if text.count(self.old) != 1:
            raise LookupError(f"{self.function} has {text.count(self.old)} times: {self.old!r}")
        text = _SOURCES[self.owner, self.function] = text.replace(self.old, self.new)
        module = self.owner if isinstance(self.owner, ModuleType) else sys.modules[self.owner.__module__]
        made: dict[str, Any] = {}
        exec(compile(text, f"<{self.function}, changed>", "exec"), vars(module), made)
        changed = made[self.function]
        setattr(self.owner, self.function, changed)
        for each in [each for name, each in sys.modules.items() if name.startswith("longshore.")]:
            for name in [name for name, value in vars(each).items() if value is real]:
                setattr(each, name, changed)
        for rules in (machine.RULES, machine.PARENT_RULES):
            table = cast("dict[tuple[Any, Any], Callable[..., Any]]", rules)
            table.update({cell: changed for cell, rule in table.items() if rule is real})


#: Functions that were changed already, as they are now.
_SOURCES: dict[tuple[type | ModuleType, str], str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A fault, by what it does."""

    name: str
    changes: tuple[Change, ...]


def _mutant(name: str, *places: tuple[type | ModuleType, str, str, str]) -> Mutant:
    changes = (Change(owner=owner, function=function, old=old, new=new) for owner, function, old, new in places)
    return Mutant(name=name, changes=tuple(changes))


MUTANTS = (
    _mutant(
        "acts before the commit", (Leader, "_work", "    return _Outcome(", "    self._act(acts)\n    return _Outcome(")
    ),
    _mutant("a replaced leader still writes", (Leader, "_work", "raise StaleLeader", "pass")),
    _mutant("intents are forgotten after a crash", (Leader, "lead", "self._act(self._present", "len(self._present")),
    _mutant(
        "RELEASE is forgotten after a crash",
        (
            Leader,
            "lead",
            "self._act(self._present.ledger.open_tasks())",
            "self._act([e for e in self._present.ledger.open_tasks() if e.attempt.intent is not Intent.RELEASE])",
        ),
    ),
    _mutant(
        "late news overwrite a final status",
        (Leader, "_apply_news", "if entry is None or entry.attempt.has_ended:", "if entry is None:"),
        (Leader, "_apply_news", "if not entry.attempt.has_ended", ""),
        (reconciler, "find", "if attempt.has_ended:", "if False:"),
        (
            machine,
            "_ignore",
            "return None",
            "return _fail_waiting(job, '', now) if isinstance(event, TaskExited) else None",
        ),
    ),
    _mutant(
        "capacity is given back twice",
        (Ledger, "put", "elif attempt.has_ended and was_holding:", "elif attempt.has_ended:"),
    ),
    _mutant(
        "capacity is free at the stop request",
        (Ledger, "put", "not known.attempt.has_ended", "not known.attempt.has_ended and not known.attempt.stop_cause"),
        (
            Ledger,
            "put",
            "if not attempt.has_ended and not",
            "if not attempt.has_ended and not attempt.stop_cause and not",
        ),
        (Ledger, "put", "elif attempt.has_ended and", "elif (attempt.has_ended or attempt.stop_cause) and"),
    ),
    _mutant(
        "the cap of an environment is not counted",
        (Present, "snapshot", "max(0, cap - self.ledger.environment_milli(name))", "cap"),
    ),
    _mutant("a GPU is given away twice", (Room, "take", "place.resources, place.gpu_names)", "place.resources)")),
    _mutant(
        "a blocked head is overtaken",
        (Cycle, "_leave", 'if queue.backfill == "none":', "if False:"),
    ),
    _mutant(
        "a consumable resource is given away twice",
        (Room, "take_consumables", "self._consumables[place] -= quantity", "pass"),
    ),
    _mutant(
        "what is held of a consumable resource is not counted",
        (
            Present,
            "_consumable_views",
            "max(each.total - self.holdings.held_of(each.scope, each.name), 0)",
            "each.total",
        ),
    ),
    _mutant(
        "what is used up comes back", (Holdings, "flush", "used_up=resource.used_up + quantity", "used_up=quantity")
    ),
    _mutant("an update is done again", (ConsumableRows, "note_call", "return known", "return None")),
    _mutant("a submission is stored again", (TokenCall, "earlier_job", "return known", "return None")),
    _mutant("shares are served by name", (FairOrder, "_push", "self.standings.of(share)", "0.0")),
    _mutant("weights of shares are not looked at", (Standings, "of", " * self._weights[share]", "")),
    _mutant("priorities within a share are not looked at", (Lines, "__init__", "-line.job_class.priority", "0")),
    _mutant(
        "what shares used is forgotten after a crash",
        (Present, "rebuild", "present.holdings.load(reader.share_uses())", "pass"),
    ),
    _mutant(
        "actions end heads at half the time",
        (fronts, "end_overdue_heads", "now.seconds_since(h.since)", "2 * now.seconds_since(h.since)"),
        (fronts, "seconds_to_limits", "now.seconds_since(head.since)", "2 * now.seconds_since(head.since)"),
    ),
    _mutant(
        "a counter misses an update",
        (
            Changes,
            "_follow_status",
            "if after.id.index is not None:",
            "if after.id.index is not None and before.status != 'RUNNING':",
        ),
    ),
    _mutant(
        "an event is not written",
        (
            Changes,
            "apply",
            "if after.status is not before.status or",
            "if after.status not in (before.status, 'STARTING') or",
        ),
    ),
    _mutant(
        "placement does not look at the job again",
        (Changes, "_move_in_backlog", "waits_in_backlog(before):", "waits_in_backlog(before) and after.attempt:"),
        (scheduler, "place_jobs", "job is None or job.status is not JobStatus.RUNNABLE", "job is None"),
    ),
    _mutant(
        "dependents start early",
        (
            dependencies,
            "_outcome",
            "is_open or met is None",
            "is_open or status in (JobStatus.SUBMITTED, JobStatus.PENDING)",
        ),
    ),
    _mutant("SEQUENTIAL children do not wait", (waits, "awaited_by", "if index > 0:", "if False:")),
    _mutant(
        "N_TO_N waits for the first twin",
        (waits, "awaited_by", "JobKey(e.on_key + 1 + index)", "JobKey(e.on_key + 1)"),
    ),
    _mutant(
        "dependents of a failed job wait on",
        (dependencies, "_outcome", "return DependencyFailed(", "return None and DependencyFailed("),
    ),
    _mutant("any end is as good as another", (dependency, "is_met", "if when is When.END:", "if True:")),
    _mutant("what was not needed counts as failed", (dependency, "is_met", "return was_needed and ", "return ")),
    _mutant(
        "submission order is turned round",
        (intake, "take_in_jobs", "    for job in jobs:\n", "    for job in reversed(jobs):\n"),
    ),
    _mutant(
        "termination misses running children", (intake, "grant", "for child in running:", "for child in running[1:]:")
    ),
    _mutant(
        "requests are dropped",
        (intake, "look_at_requests", "    for job, wish in requested:", "    for job, wish in requested[1:]:"),
    ),
    _mutant(
        "retries are not counted",
        (settling, "settle", "- lost_hosts - preemptions < job.spec", "- lost_hosts <= job.spec"),
    ),
    _mutant("evaluateOnExit is not read", (settling, "settle", "action is not RetryAction.EXIT", "True")),
    _mutant(
        "terminated jobs are tried again", (settling, "settle", "attempt.stop_cause is StopCause.TERMINATED", "False")
    ),
    _mutant("a lost host has an exit code", (attempts, "lost", "stopped_at=now,", "stopped_at=now, exit_code=137,")),
    _mutant("lost hosts are charged", (settling, "settle", "lost_hosts + 1", "lost_hosts")),
    _mutant(
        "CancelJob fails a PENDING job at once",
        (machine, "_note_cancellation", "return None if", "return _cancel(job, event, now)\n    return None if"),
    ),
    _mutant("a job's own budget for lost hosts is not read", (machine, "_close_lost", "if own is None", "if True")),
    _mutant(
        "start deadlines are forgotten after a crash",
        (Present, "rebuild", "present.start_deadlines.add(spec)", "pass"),
    ),
    _mutant(
        "who has started is given up",
        (machine, "_give_up_waiting", "job.attempts_made or ", ""),
        (
            Changes,
            "apply_to_children",
            "with_attempts=not isinstance(event, StartDeadlinePassed)",
            "with_attempts=True",
        ),
    ),
    _mutant(
        "start deadlines go by the wall clock",
        (StartDeadlines, "next_at", "now.seconds_since(submitted)", "(now.at - submitted.at).total_seconds()"),
    ),
    _mutant("CancelJob of a PENDING job is forgotten", (machine, "_become_runnable", "job.wish is not None", "False")),
    _mutant("a time-out stops nothing", (machine, "_stop_on_timeout", "intent=Intent.STOP", "intent=Intent.NONE")),
    _mutant(
        "time-outs go by the wall clock",
        (
            Leader,
            "_work",
            "self._clock.boot_seconds())",
            "self._clock.now().timestamp() - 1767225600.0 + 1000.0)",
        ),
    ),
    _mutant(
        "time-outs are forgotten after a crash",
        (Present, "note_attempt", "and not was_running", "and known and not was_running"),
    ),
    _mutant(
        "waiting jobs are forgotten after a crash", (Present, "rebuild", "reader.live_runs(JobStatus.RUNNABLE)", "()")
    ),
    _mutant("edges are forgotten after a crash", (Present, "rebuild", "present.watch_edge(edge)", "pass")),
    _mutant(
        "an uncertain launch counts as refused",
        (Lane, "_launch", "elif outcome.fault is LaunchFault.UNCERTAIN:", "elif False:"),
    ),
    _mutant(
        "not launched yet counts as gone",
        (Lane, "observe_all", "if o.state is not TaskState.GONE or o.attempt_id not in awaited", ""),
    ),
    _mutant("strays live on", (Lane, "observe_all", "if strays:", "if False:")),
    _mutant("strays are killed with all others", (Lane, "observe_all", "if handle.attempt_id not in known", "")),
    _mutant("the end is told before the log is whole", (Lane, "_report", "await self._logs.seal(over)", "pass")),
    _mutant(
        "two read one log at once", (Lane, "_read_log", "async with lock, self._reading:", "async with self._reading:")
    ),
    _mutant("an act overtakes another of its attempt", (Lane, "_ready", " if attempt_id not in self._busy", "")),
    _mutant(
        "a node starts without the main one",
        (parts, "_direct_part", "if not may_begin:", "if False:"),
    ),
    _mutant(
        "a failed dependency counts as a met one",
        (parts, "_standing", "met = on.exit_code == 0", "met = on.exit_code is not None"),
    ),
    _mutant(
        "a container starts before the one it waits for",
        (parts, "_direct_part", "is_met = is_met and standing is True", "is_met = True"),
    ),
    _mutant(
        "the end of an essential container stops nothing",
        (parts, "_is_over", "container.ends_all or", ""),
    ),
    _mutant(
        "the end of any node ends the job",
        (
            parts,
            "direct",
            "must_end = stops or (not workload.needs_all_nodes and _is_over(main, directed))",
            "must_end = any(p.has_ended for p in attempt.parts)",
        ),
    ),
    _mutant(
        "the last node decides",
        (parts, "conclude", "main = workload.nodes[workload.main_node]", "main = workload.nodes[-1]"),
    ),
    _mutant(
        "parts are released one by one",
        (
            parts,
            "_direct_part",
            "    if part.has_ended:\n        return part",
            "    if part.has_ended:\n"
            "        done = (Intent.WAIT, Intent.RELEASE)\n"
            "        return part if part.intent in done else replace(part, intent=Intent.RELEASE)",
        ),
    ),
    _mutant(
        "changes of parts are not saved",
        (Changes, "_note_attempt", "if part is not was)", "if part is not was and not part.has_ended)"),
    ),
    _mutant(
        "a gang is counted on its first host alone",
        (ledger, "holdings_of", "if not entry.job.spec.has_nodes:", "if True:"),
    ),
    _mutant(
        "half a gang is placed",
        (
            Room,
            "_find_gang",
            "if laid is None:",
            "if not (laid := laid or [environment.hosts[0]] * len(each_node(gang))):",
        ),
    ),
    _mutant(
        "only the first act of a batch is done",
        (Lane, "_done", "for entry in entries:", "for entry in self._acts.copy().values():"),
    ),
)


def plant(name: str) -> None:
    """Plant the fault of that name in this process."""
    for change in next(mutant for mutant in MUTANTS if mutant.name == name).changes:
        change.plant()


def hunt(mutant: Mutant, seeds: Sequence[int], *, processes: int | None = None) -> Failure | None:
    """The first of `seeds` that sees the fault, and what it saw; None when none does."""
    with closing(run_seeds(seeds, processes=processes, prepare=partial(plant, mutant.name))) as results:
        return next((result for result in results if isinstance(result, Failure)), None)
