"""Multi-node parallel jobs: which node runs what, and how a submission changes that."""

import re
from dataclasses import dataclass

from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.container import ContainerOverrides, ContainerProperties
from longshore.domain.ecs import EcsProperties, EcsPropertiesOverride
from longshore.domain.eks import EksProperties, EksPropertiesOverride

_INDEX = "(0|[1-9][0-9]{0,8})"
_TARGETS = re.compile(f"{_INDEX}?:{_INDEX}?|{_INDEX}")
_NO_END = 10**9


def parse_targets(text: str) -> range:
    """The nodes that `text` means: one without an upper end has no end, however few nodes there are.

    Raises:
        ValueError: it is no range of nodes.
    """
    match = _TARGETS.fullmatch(text)
    if match is None:
        raise ValueError(text)
    first, last, single = match.groups()
    if single is not None:
        first = last = single
    return range(int(first or 0), _NO_END if last is None else int(last) + 1)


def has_no_end(targets: range) -> bool:
    """Whether the range goes on to the last node, whichever that is."""
    return targets.stop == _NO_END


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRangeProperty:
    """What the nodes of one range run. Source: AWS Batch API, NodeRangeProperty."""

    #: `a:b`, both ends included; either may be left out for the first or the last node
    target_nodes: str
    container: ContainerProperties | None = None
    ecs_properties: EcsProperties | None = None
    eks_properties: EksProperties | None = None
    instance_types: tuple[str, ...] | None = None
    consumable_resource_properties: ConsumableResourceProperties | None = None

    @property
    def form(self) -> ContainerProperties | EcsProperties | EksProperties:
        """The one that is set."""
        form = self.container or self.ecs_properties or self.eks_properties
        assert form is not None, "a node range without properties"
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProperties:
    """A job of several nodes. Source: AWS Batch API, NodeProperties."""

    num_nodes: int
    main_node: int
    node_range_properties: tuple[NodeRangeProperty, ...]

    def range_of(self, index: int) -> NodeRangeProperty:
        """What node `index` runs: where ranges overlap, the narrowest decides, and of equal ones the last."""
        covering = [
            (len(targets), -place, each)
            for place, each in enumerate(self.node_range_properties)
            if index in (targets := parse_targets(each.target_nodes))
        ]
        return min(covering, key=lambda found: found[:2])[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePropertyOverride:
    """What SubmitJob may change of one node range. Source: AWS Batch API, NodePropertyOverride."""

    target_nodes: str
    container_overrides: ContainerOverrides | None = None
    ecs_properties_override: EcsPropertiesOverride | None = None
    eks_properties_override: EksPropertiesOverride | None = None
    instance_types: tuple[str, ...] | None = None
    consumable_resource_properties_override: ConsumableResourceProperties | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOverrides:
    """What SubmitJob may change of a job of several nodes."""

    num_nodes: int | None = None
    node_property_overrides: tuple[NodePropertyOverride, ...] = ()
