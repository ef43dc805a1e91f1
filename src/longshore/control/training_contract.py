"""What SageMaker and its training containers have agreed on: folders, files and variables. Pure.

Source: Amazon SageMaker developer guide, how training information is provided; sagemaker-training-toolkit,
ENVIRONMENT_VARIABLES.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longshore.domain.job import Attempt
from longshore.domain.training import TrainingRequest

#: Source: SageMaker developer guide, resourceconfig.json of a cluster of one kind of instances
_GROUP = "homogeneousCluster"
_MOST_NESTED = 100
#: of the text in the failure file. Source: SageMaker API, FailureReason
MOST_REASON_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class StagedFolders:
    """The folders of one attempt; those below `root` that the container is given stand in `GIVEN`."""

    root: Path

    @property
    def marker(self) -> Path:
        """There when all is staged, and nothing below may be made anew any more."""
        return self.root / "staged"

    @property
    def config(self) -> Path:
        return self.root / "input" / "config"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def packed(self) -> Path:
        """What leaves this machine; the container does not see it."""
        return self.root / "packed"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name


#: Folders that a container sees below /opt/ml; one for all would hide what its image has there.
GIVEN = ("input", "model", "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The nodes of a training, as one of them sees them."""

    #: by which they reach each other, by index
    hosts: tuple[str, ...]
    index: int
    #: of the network, as the node knows it
    interface: str


def host_name(index: int) -> str:
    """What SageMaker calls the node."""
    return f"algo-{index + 1}"


def config_files(training: TrainingRequest, cluster: Cluster) -> Mapping[str, object]:
    """What each file in `input/config` holds."""
    return {
        "hyperparameters.json": training.hyper_parameters,
        "inputdataconfig.json": _data_config(training),
        "resourceconfig.json": _resource_config(training, cluster),
    }


def variables(
    training: TrainingRequest, arn: str, attempt: Attempt, cluster: Cluster, *, root: str
) -> Mapping[str, str]:
    """What the container learns; `root` is what stands for /opt/ml where it looks."""
    channels = {channel.name: f"{root}/input/data/{channel.name}" for channel in training.channels}
    hyper_parameters = {name: _decoded(value) for name, value in training.hyper_parameters.items()}
    resources, data = _resource_config(training, cluster), _data_config(training)
    places = {
        "input_dir": f"{root}/input",
        "input_config_dir": f"{root}/input/config",
        "model_dir": f"{root}/model",
        "output_dir": f"{root}/output",
        "output_data_dir": f"{root}/output/data",
        "current_host": cluster.hosts[cluster.index],
        "hosts": cluster.hosts,
        "network_interface_name": cluster.interface,
        "num_cpus": max(1, attempt.resources.vcpu_milli // 1000),
        "num_gpus": len(attempt.gpu_names),
        "resource_config": resources,
        "input_data_config": data,
    }
    of_toolkit: dict[str, object] = {
        **{name.upper(): value for name, value in places.items()},
        "CHANNELS": sorted(channels),
        "HPS": hyper_parameters,
        "CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "CURRENT_INSTANCE_GROUP": resources["current_group_name"],
        "USER_ARGS": [word for name, value in training.hyper_parameters.items() for word in (f"--{name}", value)],
        "TRAINING_ENV": {
            **places,
            "channel_input_dirs": channels,
            "hyperparameters": hyper_parameters,
            "is_master": cluster.index == 0,
            "job_name": training.training_job_name,
        },
        **{f"CHANNEL_{name.upper()}": path for name, path in channels.items()},
        **{f"HP_{name.upper()}": value for name, value in hyper_parameters.items() if "=" not in name},
    }
    return {
        **{f"SM_{name}": value if isinstance(value, str) else _encoded(value) for name, value in of_toolkit.items()},
        "TRAINING_JOB_NAME": training.training_job_name,
        "TRAINING_JOB_ARN": arn,
    }


def _data_config(training: TrainingRequest) -> Mapping[str, Mapping[str, str]]:
    return {
        channel.name: {
            "TrainingInputMode": "File",
            "S3DistributionType": "ShardedByS3Key" if channel.is_sharded else "FullyReplicated",
            "RecordWrapperType": "None",
            **({"ContentType": channel.content_type} if channel.content_type else {}),
        }
        for channel in training.channels
    }


def _resource_config(training: TrainingRequest, cluster: Cluster) -> Mapping[str, object]:
    groups: list[Mapping[str, object]] = []
    of_nodes: list[Mapping[str, object]] = []
    for group in training.instance_groups:
        own = cluster.hosts[len(of_nodes) :][: group.instance_count]
        shown = {"instance_group_name": group.name or _GROUP, "instance_type": group.instance_type, "hosts": own}
        groups.append(shown)
        of_nodes += [shown] * group.instance_count
    return {
        "current_host": cluster.hosts[cluster.index],
        "current_instance_type": of_nodes[cluster.index]["instance_type"],
        "current_group_name": of_nodes[cluster.index]["instance_group_name"],
        "hosts": cluster.hosts,
        "instance_groups": groups,
        "network_interface_name": cluster.interface,
    }


def _decoded(value: str) -> object:
    """As the toolkit reads a hyperparameter: JSON where it is that, and not too deep to be written again."""
    if value.count("[") + value.count("{") > _MOST_NESTED:
        return value
    try:
        decoded: object = json.loads(value)
    except ValueError:
        return value
    return decoded


def _encoded(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
