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
    #: whole GPUs, each for one job
    gpus: int = 0
    #: mebibytes of disk for files that go with the attempt; 0 of a job: it is kept none, and held to none
    scratch_mib: int = 0
    #: Thousandths of one GPU that is shared. Of a host: the largest part of one GPU that it has, or has free; parts of
    #: several GPUs make no larger one, so that what a host has left of it is no difference but is looked up.
    gpu_milli: int = 0

    @property
    def amounts(self) -> tuple[int, ...]:
        """All of it, in the order of the fields."""
        return self.vcpu_milli, self.memory_mib, self.gpus, self.scratch_mib, self.gpu_milli

    @classmethod
    def of(cls, amounts: Iterable[int]) -> "Resources":
        """Inverse of `amounts`."""
        vcpu_milli, memory_mib, gpus, scratch_mib, gpu_milli = amounts
        return cls(
            vcpu_milli=vcpu_milli, memory_mib=memory_mib, gpus=gpus, scratch_mib=scratch_mib, gpu_milli=gpu_milli
        )

    def __add__(self, other: "Resources") -> "Resources":
        return Resources.of(map(int.__add__, self.amounts, other.amounts))

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources.of(map(int.__sub__, self.amounts, other.amounts))

    def __or__(self, other: "Resources") -> "Resources":
        """The least that has room for either."""
        return Resources.of(map(max, self.amounts, other.amounts))

    def fits(self, free: "Resources") -> bool:
        """Whether this much can be taken out of `free`."""
        return all(map(int.__le__, self.amounts, free.amounts))

    def is_negative(self) -> bool:
        """Whether any amount is below zero: the mark of over-commitment."""
        return min(self.amounts) < 0
