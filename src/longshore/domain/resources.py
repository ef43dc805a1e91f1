"""Integer resource vectors: what a job asks for, what a host offers, and exact arithmetic between them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Resources:
    """Amounts of each resource; never negative. GPUs are counted here and named where they are placed (`Host.gpus`)."""

    #: thousandths of a vCPU
    vcpu_milli: int = 0
    #: mebibytes
    memory_mib: int = 0
    #: whole GPUs
    gpus: int = 0

    @property
    def amounts(self) -> tuple[int, ...]:
        """All amounts, in the order of the members."""
        return self.vcpu_milli, self.memory_mib, self.gpus

    @classmethod
    def of(cls, amounts: Iterable[int]) -> "Resources":
        """The vector with these `amounts`."""
        vcpu_milli, memory_mib, gpus = amounts
        return cls(vcpu_milli=int(vcpu_milli), memory_mib=int(memory_mib), gpus=int(gpus))

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            vcpu_milli=self.vcpu_milli + other.vcpu_milli,
            memory_mib=self.memory_mib + other.memory_mib,
            gpus=self.gpus + other.gpus,
        )

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(
            vcpu_milli=self.vcpu_milli - other.vcpu_milli,
            memory_mib=self.memory_mib - other.memory_mib,
            gpus=self.gpus - other.gpus,
        )

    def fits(self, free: "Resources") -> bool:
        """Whether this much can be taken out of `free`."""
        return self.vcpu_milli <= free.vcpu_milli and self.memory_mib <= free.memory_mib and self.gpus <= free.gpus

    def is_negative(self) -> bool:
        """Whether any amount is below zero: the mark of over-commitment."""
        return self.vcpu_milli < 0 or self.memory_mib < 0 or self.gpus < 0
