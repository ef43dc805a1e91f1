"""What only pods have."""

import pytest

from longshore.domain.container import KeyValue
from longshore.domain.eks import (
    EksContainer,
    EksContainerSecurityContext,
    EksContainerVolumeMount,
    EksEmptyDir,
    EksPodProperties,
    EksPodSecurityContext,
    EksVolume,
)
from longshore.domain.pods import PodFolder, bytes_of, expand, expand_variables, pod_settings

VARIABLES = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


# Source of the cases: Kubernetes, third_party/forked/golang/expansion/expand_test.go
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)-1-$(VAR_B)", "A-1-B"),
        ("f000-$(VAR_EMPTY)-", "f000--"),
        ("$(VAR_REF)", "$(VAR_A)"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$$(GOOD_ODDS", "$(GOOD_ODDS"),
        ("$(VAR_A", "$(VAR_A"),
        ("$()", "$()"),
        ("a$", "a$"),
        ("$VAR_ $$ $(VAR_C) )", "$VAR_ $ C )"),
    ],
)
def test_references(text: str, expected: str) -> None:
    """As Kubernetes does it: once, from the left, with `$$` as the way out."""
    assert expand(text, VARIABLES) == expected


def test_variables_see_those_before_them() -> None:
    """And those that they are given, which win."""
    own = [
        KeyValue(name="A", value="$(B) $(GIVEN)"),
        KeyValue(name="B", value="b"),
        KeyValue(name="C", value="$(A) $(B)"),
    ]
    assert expand_variables(own, {"GIVEN": "g"}) == {"A": "$(B) g", "B": "b", "C": "$(B) g b"}


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("512Mi", 512 * 2**20), ("1.5k", 1500), ("1.5Ki", 1536), ("7", 7), ("1m", 1), ("2E", 2 * 10**18), ("0", 0)],
)
def test_quantities(quantity: str, expected: int) -> None:
    """In bytes, rounded up."""
    assert bytes_of(quantity) == expected


def test_every_container_knows_all_folders_of_the_pod() -> None:
    """Also those that another mounts, each part of a volume by itself."""
    container = EksContainer(image="a", volume_mounts=(EksContainerVolumeMount(name="v", mount_path="/v"),))
    pod = EksPodProperties(
        init_containers=(container,),
        containers=(EksContainer(image="a", volume_mounts=(EksContainerVolumeMount(name="v", sub_path="s"),)),),
        volumes=(EksVolume(name="v", empty_dir=EksEmptyDir(medium="Memory", size_limit="1Ki")),),
    )
    folders = (
        PodFolder(volume="v", in_memory=True, most_bytes=1024),
        PodFolder(volume="v/s", in_memory=True, most_bytes=1024),
    )
    assert pod_settings(container, pod).folders == folders
    assert pod_settings(pod.containers[0], pod).folders == folders


def test_a_container_wins_over_its_pod() -> None:
    """What it says of itself holds; what it leaves out is the pod's."""
    own = EksContainerSecurityContext(run_as_non_root=False)
    pod = EksPodProperties(security_context=EksPodSecurityContext(run_as_non_root=True, fs_group=5))
    assert not pod_settings(EksContainer(image="a", security_context=own), pod).must_not_be_root
    plain = pod_settings(EksContainer(image="a"), pod)
    assert (plain.must_not_be_root, plain.groups) == (True, (5,))
