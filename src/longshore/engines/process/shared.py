"""Folders that containers of one task share: what stands for volumes where there are no mounts."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import structlog

from longshore.domain.ids import AttemptId
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.render import SpecRejected, shared_folder, volume_variables
from longshore.ports.engine import LaunchSpec

_log = structlog.stdlib.get_logger(__name__)


def make_shared(spec: LaunchSpec, config: ProcessConfig) -> None:
    """Every folder that the part shares with others is there. Repeatable.

    Raises:
        SpecRejected: it cannot be made.
    """
    assert spec.whole_id is not None, spec
    root = shared_folder(spec.whole_id, config).absolute()
    for path in map(Path, volume_variables(spec, config).values()):
        if not path.is_relative_to(root):
            continue
        try:
            path.mkdir(parents=True, exist_ok=True)
            # containers of one task may run as different users; nobody else can enter the folders above
            os.chmod(path, 0o1777)
        except OSError as error:
            raise SpecRejected(f"CannotCreateVolumeError: {error.strerror}") from error


def remove_shared(whole_id: AttemptId, config: ProcessConfig) -> None:
    """Nothing of what the parts of the attempt shared is left, as far as we may remove it. Repeatable."""
    root = shared_folder(whole_id, config)
    for folder, _, _ in os.walk(root):
        with suppress(OSError):
            os.chmod(folder, 0o700)  # what its owner may not enter could not be emptied
    shutil.rmtree(root, ignore_errors=True)
    if root.exists():
        _log.warning("shared_folder_left", path=str(root))
