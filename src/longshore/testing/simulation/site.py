"""The simulated machines: the fake engine's site, which here keeps every task it ever had, and what must hold there."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore.domain.ids import AttemptId, HostId
from longshore.domain.resources import Resources
from longshore.domain.workload import WorkContainer
from longshore.engines.fake import FakeSite, FakeTask
from longshore.ports.clock import Clock
from longshore.ports.engine import LaunchSpec
from longshore.testing.builders import a_launch
from longshore.testing.simulation.scenario import Scenario


class RecordingSite(FakeSite):
    """A site that forgets nothing."""

    def __init__(self, clock: Clock, scenario: Scenario) -> None:
        super().__init__(clock, scenario.behaviour)
        self._scenario = scenario
        self._totals: Mapping[HostId, Resources] = {host.id: host.total for host in scenario.hosts}
        self._usage_seen = 0
        #: every task by its attempt, released or not
        self.history: dict[AttemptId, FakeTask] = {}

    def accept(self, spec: LaunchSpec, installation: str) -> FakeTask | str:
        task = super().accept(spec, installation)
        if isinstance(task, FakeTask):
            self.history[spec.attempt_id] = task
        return task

    def turn_up(self, number: int, installation: str) -> None:
        """A task is there that no server of this run has started."""
        attempt_id = AttemptId(f"{0xFFFF - number:032x}")
        host_id = HostId("elsewhere")
        launch = a_launch(
            "nobody's", log_path=Path("/nowhere"), attempt_id=attempt_id, resources=Resources(), host_id=host_id
        )
        super().accept(launch, installation)

    def live_tasks(self) -> list[FakeTask]:
        """Tasks that may still start, or run."""
        self.catch_up()
        return [task for task in self.history.values() if task.live]

    def problem(self) -> tuple[str, str] | None:
        """The invariant that the site shows to be broken, and how; None while all is well."""
        ledger = self.ledger
        twice = [attempt_id for attempt_id, starts in ledger.starts.items() if starts > 1]
        if twice:
            return "one start per attempt", f"attempts {twice} were started more than once"
        if ledger.overlaps:
            return "one live task per job", f"(job, live attempt, accepted beside it): {ledger.overlaps}"
        if ledger.released_alive:
            return "release after the end", f"attempts {ledger.released_alive} were released while they were live"
        for change in ledger.usage[self._usage_seen :]:
            total = self._totals.get(change.host_id, Resources())
            if not change.in_use.fits(total):
                return "no over-commitment of hosts", f"{change}, total {total}"
        self._usage_seen = len(ledger.usage)
        return self._problem_of_shares()

    def _problem_of_shares(self) -> tuple[str, str] | None:
        """Environments have caps, and a GPU serves one task."""
        milli: Counter[str] = Counter()
        gpus: defaultdict[HostId, list[str]] = defaultdict(list)
        for task in self.live_tasks():
            container = task.spec.container
            if container.command[0] != "job":
                continue
            job = self._scenario.jobs[int(container.command[1])]
            works = job.workload.nodes[task.spec.node].containers
            asked = works[0].resources if task.spec.whole_id is None else _named(works, container.name).resources
            milli[container.environment["AWS_BATCH_CE_NAME"]] += asked.vcpu_milli
            gpus[task.spec.host_id] += container.gpu_names
            if len(container.gpu_names) != asked.gpus:
                return "GPUs are named", f"{job.name} asks {asked.gpus} GPU and got {container.gpu_names}"
        for environment in self._scenario.environments:
            cap = environment.max_vcpus
            if cap is not None and milli[environment.name] > cap * 1000:
                return "no over-commitment of environments", f"{environment.name}: {milli[environment.name]} of {cap}"
        for host_id, names in gpus.items():
            if len(set(names)) < len(names):
                return "no over-commitment of GPUs", f"{host_id}: {names}"
        return None


def _named(containers: Sequence[WorkContainer], name: str) -> WorkContainer:
    return next(container for container in containers if container.name == name)
