"""All use cases over one store, as the API takes them."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import Store
from longshore.service.consumables import Consumables
from longshore.service.definitions import Definitions
from longshore.service.describe import Descriptions
from longshore.service.environments import Environments
from longshore.service.policies import Policies
from longshore.service.queues import Queues
from longshore.service.quotas import Quotas
from longshore.service.requests import Requests
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
    policies: Policies
    queues: Queues
    snapshots: Snapshots
    submissions: Submissions
    requests: Requests
    descriptions: Descriptions
    tags: Tags


def build_services(
    store: Store,
    clock: Clock,
    notifier: Notifier,
    *,
    engines: Collection[str],
    resolve_engine: Callable[[], Awaitable[str]],
    quotas: Quotas = _DEFAULT_QUOTAS,
) -> Services:
    """`engines` are those that environments may choose by tag; `resolve_engine` chooses for those that do not."""
    return Services(
        consumables=Consumables(store, clock, notifier),
        definitions=Definitions(store, clock),
        environments=Environments(
            store, clock, notifier, engines=engines, resolve_engine=resolve_engine, quotas=quotas
        ),
        policies=Policies(store, clock, notifier),
        queues=Queues(store, clock, notifier, quotas=quotas),
        snapshots=Snapshots(store),
        submissions=Submissions(store, clock, notifier, quotas=quotas),
        requests=Requests(store, notifier),
        descriptions=Descriptions(store),
        tags=Tags(store),
    )
