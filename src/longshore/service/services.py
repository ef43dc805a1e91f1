"""All use cases over one store, as the API takes them."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from longshore.domain.resources import Resources
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import Store
from longshore.service.consumables import Consumables
from longshore.service.definitions import Definitions
from longshore.service.describe import Descriptions
from longshore.service.engine_choice import EngineChoice
from longshore.service.environments import Environments
from longshore.service.holds import Holds
from longshore.service.policies import Policies
from longshore.service.queues import Queues
from longshore.service.quota_shares import QuotaShares
from longshore.service.quotas import Quotas
from longshore.service.requests import Requests
from longshore.service.service_environments import ServiceEnvironments
from longshore.service.service_jobs import ServiceJobs
from longshore.service.snapshots import Snapshots
from longshore.service.submit import Submissions
from longshore.service.tags import Tags

_DEFAULT_QUOTAS = Quotas()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One object for each family of use cases."""

    consumables: Consumables
    definitions: Definitions
    environments: Environments
    service_environments: ServiceEnvironments
    service_jobs: ServiceJobs
    service_requests: Requests
    policies: Policies
    queues: Queues
    quota_shares: QuotaShares
    snapshots: Snapshots
    submissions: Submissions
    requests: Requests
    descriptions: Descriptions
    tags: Tags
    holds: Holds


def build_services(
    store: Store,
    clock: Clock,
    notifier: Notifier,
    *,
    engines: Collection[str],
    resolve_engine: Callable[[], Awaitable[str]],
    quotas: Quotas = _DEFAULT_QUOTAS,
    largest_host: Resources,
) -> Services:
    """`engines` are those that environments may choose by tag; `resolve_engine` chooses for those that do not.

    Instances of service jobs are given as much of `largest_host` as it has.
    """
    choice = EngineChoice(names=engines, resolve=resolve_engine)
    tags = Tags(store, notifier)
    return Services(
        consumables=Consumables(store, clock, notifier),
        definitions=Definitions(store, clock),
        environments=Environments(store, clock, notifier, engines=choice, quotas=quotas),
        policies=Policies(store, clock, notifier),
        queues=Queues(store, clock, notifier, quotas=quotas),
        quota_shares=QuotaShares(store, clock, notifier),
        snapshots=Snapshots(store),
        submissions=Submissions(store, clock, notifier, quotas=quotas),
        requests=Requests(store, notifier),
        service_environments=ServiceEnvironments(store, clock, notifier, engines=choice),
        service_jobs=ServiceJobs(store, clock, notifier, largest_host=largest_host),
        service_requests=Requests(store, notifier, kind="service-job"),
        descriptions=Descriptions(store),
        tags=tags,
        holds=Holds(store, notifier, tags),
    )
