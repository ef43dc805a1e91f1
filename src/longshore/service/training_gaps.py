"""What a training asks for and does not get here."""

from collections.abc import Mapping
from typing import cast

from msgspec.json import decode

from longshore.domain.training import CONTRACT_ROOT, TrainingRequest
from longshore.ports.engine import Capabilities

#: Members that have an effect, by the member that they are in.
_HONOURED: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {
            "TrainingJobName",
            "RoleArn",
            "AlgorithmSpecification",
            "HyperParameters",
            "Environment",
            "InputDataConfig",
            "OutputDataConfig",
            "ResourceConfig",
            "StoppingCondition",
            "CheckpointConfig",
        }
    ),
    "AlgorithmSpecification": frozenset(
        {"TrainingImage", "TrainingInputMode", "ContainerEntrypoint", "ContainerArguments"}
    ),
    "OutputDataConfig": frozenset({"S3OutputPath", "CompressionType"}),
    "ResourceConfig": frozenset({"InstanceType", "InstanceCount", "InstanceGroups"}),
    "StoppingCondition": frozenset({"MaxRuntimeInSeconds"}),
}
_TEXTS = {
    "EnableNetworkIsolation": "the container has the network that all containers have here",
    "ResourceConfig.VolumeSizeInGB": "data, model and output lie on the disk of this machine, without a limit",
}


def training_gaps(training: TrainingRequest, engine: Capabilities) -> dict[str, str]:
    """By the name of the member: why it does not hold."""
    gaps: dict[str, str] = {}
    request = decode(training.payload, type=dict[str, object])
    for parent, honoured in _HONOURED.items():
        members = request.get(parent) if parent else request
        if not isinstance(members, dict):
            continue
        for name, value in cast(dict[str, object], members).items():
            path = f"{parent}.{name}" if parent else name
            if value and name not in honoured:
                gaps[path] = _TEXTS.get(path, "kept and shown; it has no effect here")
    if "FastFile" in training.payload:
        gaps["TrainingInputMode"] = "FastFile is File: all objects are fetched before the training starts"
    if training.checkpoints is not None and training.checkpoints.uri.startswith("s3:"):
        gaps["CheckpointConfig"] = "checkpoints are stored when the training has ended, not while it runs"
    if training.instance_count > 1:
        gaps["ResourceConfig.InstanceCount"] = "model, output and checkpoints are those of the first instance"
    if not engine.uses_images:
        gaps[CONTRACT_ROOT] = (
            "a plain process has no mounts: its folders are where SM_CHANNEL_*, SM_MODEL_DIR, SM_OUTPUT_DIR, "
            "SM_INPUT_CONFIG_DIR and LONGSHORE_CHECKPOINT_DIR say"
        )
    return gaps
