"""Instance types of SageMaker trainings, and what each offers. Source: Amazon EC2, instance types."""

from collections.abc import Mapping

from longshore.domain.resources import Resources

#: vCPU by size, where a family has sizes of the common row.
_VCPUS = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "9xlarge": 36,
    "10xlarge": 40,
    "12xlarge": 48,
    "16xlarge": 64,
    "18xlarge": 72,
    "24xlarge": 96,
    "32xlarge": 128,
    "48xlarge": 192,
}
_SIXTH = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"
_SEVENTH = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"
#: Family: MiB for each vCPU, and sizes.
_FAMILIES: Mapping[str, tuple[int, str]] = {
    "m4": (4096, "xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    "m5": (4096, "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge"),
    "m6i": (4096, _SIXTH),
    "m7i": (4096, _SEVENTH),
    "c4": (1920, "xlarge 2xlarge 4xlarge"),
    "c5": (2048, "xlarge 2xlarge 4xlarge 9xlarge 18xlarge"),
    "c5n": (2688, "xlarge 2xlarge 4xlarge 9xlarge 18xlarge"),
    "c6i": (2048, "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    "c7i": (2048, _SEVENTH),
    "r5": (8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "r5d": (8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    "r7i": (8192, _SEVENTH),
    "t3": (4096, "large xlarge 2xlarge"),
}
#: vCPU, GiB and GPUs of types that follow no row.
_OTHERS: Mapping[str, tuple[int, int, int]] = {
    "c4.8xlarge": (36, 60, 0),
    "t3.medium": (2, 4, 0),
    "p2.xlarge": (4, 61, 1),
    "p2.8xlarge": (32, 488, 8),
    "p2.16xlarge": (64, 732, 16),
    "p3.2xlarge": (8, 61, 1),
    "p3.8xlarge": (32, 244, 4),
    "p3.16xlarge": (64, 488, 8),
    "p3dn.24xlarge": (96, 768, 8),
    "p4d.24xlarge": (96, 1152, 8),
    "p4de.24xlarge": (96, 1152, 8),
    "p5.4xlarge": (16, 256, 1),
    "p5.48xlarge": (192, 2048, 8),
    "p5e.48xlarge": (192, 2048, 8),
    "p5en.48xlarge": (192, 2048, 8),
    "p6-b200.48xlarge": (192, 2048, 8),
    "g4dn.xlarge": (4, 16, 1),
    "g4dn.2xlarge": (8, 32, 1),
    "g4dn.4xlarge": (16, 64, 1),
    "g4dn.8xlarge": (32, 128, 1),
    "g4dn.12xlarge": (48, 192, 4),
    "g4dn.16xlarge": (64, 256, 1),
    "g5.xlarge": (4, 16, 1),
    "g5.2xlarge": (8, 32, 1),
    "g5.4xlarge": (16, 64, 1),
    "g5.8xlarge": (32, 128, 1),
    "g5.12xlarge": (48, 192, 4),
    "g5.16xlarge": (64, 256, 1),
    "g5.24xlarge": (96, 384, 4),
    "g5.48xlarge": (192, 768, 8),
    "g6.xlarge": (4, 16, 1),
    "g6.2xlarge": (8, 32, 1),
    "g6.4xlarge": (16, 64, 1),
    "g6.8xlarge": (32, 128, 1),
    "g6.12xlarge": (48, 192, 4),
    "g6.16xlarge": (64, 256, 1),
    "g6.24xlarge": (96, 384, 4),
    "g6.48xlarge": (192, 768, 8),
    "g6e.xlarge": (4, 32, 1),
    "g6e.2xlarge": (8, 64, 1),
    "g6e.4xlarge": (16, 128, 1),
    "g6e.8xlarge": (32, 256, 1),
    "g6e.12xlarge": (48, 384, 4),
    "g6e.16xlarge": (64, 512, 1),
    "g6e.24xlarge": (96, 768, 4),
    "g6e.48xlarge": (192, 1536, 8),
    # Their accelerators are no GPUs, and nothing here offers them.
    "trn1.2xlarge": (8, 32, 0),
    "trn1.32xlarge": (128, 512, 0),
    "trn1n.32xlarge": (128, 512, 0),
    "trn2.48xlarge": (192, 2048, 0),
}


def _all() -> Mapping[str, Resources]:
    found = {
        f"ml.{family}.{size}": Resources(vcpu_milli=_VCPUS[size] * 1000, memory_mib=_VCPUS[size] * mib)
        for family, (mib, sizes) in _FAMILIES.items()
        for size in sizes.split()
    }
    for name, (vcpus, gib, gpus) in _OTHERS.items():
        found[f"ml.{name}"] = Resources(vcpu_milli=vcpus * 1000, memory_mib=gib * 1024, gpus=gpus)
    return found


#: By name.
INSTANCE_TYPES = _all()
