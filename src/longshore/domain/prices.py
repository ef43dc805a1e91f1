"""What capacity costs, as the operator declares it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.domain.resources import Resources

#: Name of the price of environments that have none of their own.
DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of an hour of each resource in one compute environment."""

    vcpu: float = 0.0
    #: of memory
    gib: float = 0.0
    gpu: float = 0.0
    #: what spot capacity costs, as a part of that; 1: as much
    spot: float = 1.0

    def of(self, resources: Resources) -> "PriceParts":
        """What an hour of so much costs where it is not spot capacity."""
        return PriceParts(
            vcpu=self.vcpu * resources.vcpu_milli / 1000,
            memory=self.gib * resources.memory_mib / 1024,
            gpu=self.gpu * resources.gpus,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceParts:
    """A price by what it is for."""

    vcpu: float
    memory: float
    gpu: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.vcpu + self.memory + self.gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices by name of the compute environment."""

    #: as it is printed; nothing is converted
    currency: str = "USD"
    environments: Mapping[str, Price] = field(default_factory=dict[str, Price])

    def of(self, environment_name: str) -> Price | None:
        """The price of an environment; None: it is not declared."""
        return self.environments.get(environment_name) or self.environments.get(DEFAULT)
