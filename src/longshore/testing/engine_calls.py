"""Calls of the engine port as the contract makes them: for one attempt of one container."""

from longshore.ports.engine import EngineDriver, Handle, LaunchFailed, LaunchSpec, Observation
from longshore.testing.builders import with_containers, with_nodes


def accepted(outcome: Handle | LaunchFailed) -> Handle:
    """The handle of a launch that was accepted."""
    assert isinstance(outcome, Handle), outcome
    return outcome


async def launched(driver: EngineDriver, spec: LaunchSpec) -> Handle:
    """The handle of one launch, accepted."""
    (outcome,) = await driver.launch([spec])
    return accepted(outcome)


async def observed(driver: EngineDriver, handle: Handle) -> Observation:
    """The one observation of a one-container attempt, in its present state."""
    (seen,) = await driver.observe([handle])
    assert seen.attempt_id == handle.attempt_id
    return seen


def beyond_capabilities(driver: EngineDriver, spec: LaunchSpec) -> LaunchSpec:
    """`spec` with one node, or one container, more than the driver can run."""
    capabilities = driver.capabilities()
    if capabilities.max_nodes == 1:
        return with_nodes(spec, 2)
    return with_containers(spec, capabilities.max_containers + 1)


async def output(driver: EngineDriver, spec: LaunchSpec, handle: Handle) -> bytes:
    """All output of the attempt that is readable now."""
    if driver.capabilities().writes_log_files:
        path = spec.nodes[0].containers[0].log_path
        return path.read_bytes() if path.exists() else b""
    chunks = [chunk async for chunk in driver.read_logs(handle, container="default", cursor="")]
    return b"".join(chunk.data for chunk in chunks)
