"""Rules on multi-node parallel jobs. Source: AWS Batch API, NodeProperties, and AWS Batch service quotas."""

from longshore.domain.container import ContainerProperties
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksProperties
from longshore.domain.nodes import NodeProperties, NodeRangeProperty, has_no_end, parse_targets
from longshore.service.container_rules import check_container
from longshore.service.pod_rules import check_pod
from longshore.service.refusals import invalid
from longshore.service.task_rules import check_ecs

_MOST_NODES = 1000
_MOST_RANGES = 5


def check_nodes(properties: NodeProperties) -> None:
    """Raises InvalidRequest for nodes that don't fit together, and for what one of them could not be given."""
    check_count(properties.num_nodes)
    if not 0 <= properties.main_node < properties.num_nodes:
        raise invalid(f"mainNode should be between 0 and {properties.num_nodes - 1}, got {properties.main_node}")
    ranges = properties.node_range_properties
    if not 1 <= len(ranges) <= _MOST_RANGES:
        raise invalid(f"nodeRangeProperties should have between 1 and {_MOST_RANGES} entries, got {len(ranges)}")
    _check_coverage(properties)
    for each in ranges:
        _check_range(each)
    if len({isinstance(each.form, EksProperties) for each in ranges}) > 1:
        raise invalid("The node ranges should be all of Amazon ECS or all of Amazon EKS")
    check_instance_types(properties)


def check_count(num_nodes: int) -> None:
    """Raises InvalidRequest for more nodes than a job may have, and for none."""
    if not 1 <= num_nodes <= _MOST_NODES:
        raise invalid(f"numNodes should be between 1 and {_MOST_NODES}, got {num_nodes}")


def check_instance_types(properties: NodeProperties) -> None:
    """Raises InvalidRequest for nodes of different instance types."""
    types: set[str] = set()
    for each in properties.node_range_properties:
        named = each.instance_types or ()
        if len(named) > 1:
            raise invalid("instanceTypes cannot have more than one element")
        types.update(named)
        if each.container is not None and each.container.instance_type is not None:
            types.add(each.container.instance_type)
    if len(types) > 1:
        raise invalid(f"All node ranges should have the same instance type, got {', '.join(sorted(types))}"[:300])


def _check_coverage(properties: NodeProperties) -> None:
    left = set(range(properties.num_nodes))
    for each in properties.node_range_properties:
        try:
            targets = parse_targets(each.target_nodes)
        except ValueError:
            raise invalid(f"targetNodes should be a range such as 0:3, got {each.target_nodes[:100]}") from None
        last = targets.start if has_no_end(targets) else targets.stop - 1
        if not targets.start <= last < properties.num_nodes:
            raise invalid(f"targetNodes {each.target_nodes} should be within 0:{properties.num_nodes - 1}")
        left.difference_update(targets if not has_no_end(targets) else range(targets.start, properties.num_nodes))
    if left:
        raise invalid(f"The node ranges should account for all nodes, none accounts for {min(left)}")


def _check_range(each: NodeRangeProperty) -> None:
    given = (each.container, each.ecs_properties, each.eks_properties)
    if sum(form is not None for form in given) != 1:
        raise invalid(
            f"Node range {each.target_nodes} should have exactly one of container, ecsProperties and eksProperties"
        )
    match each.form:
        case ContainerProperties() as container:
            check_container(container, fargate=False, of_node=True)
        case EcsProperties() as ecs:
            check_ecs(ecs, fargate=False)
        case EksProperties() as eks:
            check_pod(eks.pod_properties)
