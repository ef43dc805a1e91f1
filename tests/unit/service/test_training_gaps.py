"""What people are told of a training's request that does not hold."""

import json
from dataclasses import replace

from longshore.domain.training import parse_training_request
from longshore.ports.engine import Capabilities
from longshore.service.training_gaps import training_gaps
from tests.unit.control.trainings import a_channel, a_request

ENGINE = Capabilities(name="fake", uses_images=True, enforces_memory=True, writes_log_files=True)


def test_gaps() -> None:
    """Members without effect by their names, whatever they are called; what is acted on is not among them."""
    request = a_request(
        InputDataConfig=[{**a_channel("s3://b"), "InputMode": "FastFile"}],
        CheckpointConfig={"S3Uri": "s3://kept"},
        EnableNetworkIsolation=True,
        EnableManagedSpotTraining=False,
        MadeUp={"a": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 2},
    )
    request["ResourceConfig"]["InstanceCount"] = 2
    training = parse_training_request(json.dumps(request))
    gaps = training_gaps(training, ENGINE)
    assert gaps.keys() == {
        "EnableNetworkIsolation",
        "MadeUp",
        "StoppingCondition.MaxWaitTimeInSeconds",
        "ResourceConfig.VolumeSizeInGB",
        "ResourceConfig.InstanceCount",
        "TrainingInputMode",
        "CheckpointConfig",
    }
    plain = parse_training_request(json.dumps(a_request(ResourceConfig={"InstanceType": "t", "InstanceCount": 1})))
    assert training_gaps(plain, ENGINE) == {}
    assert training_gaps(plain, replace(ENGINE, uses_images=False)).keys() == {"/opt/ml"}
