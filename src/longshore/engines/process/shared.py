"""Folders that containers of one task share: what stands for volumes where there are no mounts."""

import errno
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from longshore.domain.ids import AttemptId
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.render import SpecRejected, shared_folder, volume_variables
from longshore.ports.engine import LaunchSpec

_log = structlog.stdlib.get_logger(__name__)

#: Who shares the folders, by name: their ids alone do not tell. Nodes' folders beside it have numbers for names.
_PARTS = "parts"


def make_shared(spec: LaunchSpec, config: ProcessConfig) -> None:
    """Every folder that the part shares with others is there. Repeatable.

    Raises:
        SpecRejected: it cannot be made.
    """
    assert spec.whole_id is not None, spec
    root = shared_folder(spec.whole_id, config)
    paths = [path for path in map(Path, volume_variables(spec, config).values()) if path.is_relative_to(root)]
    try:
        for path in paths:
            _make_passage(config.shared_dir)
            _make_passage(root)
            _make_passage(path.parent)
            path.mkdir(exist_ok=True)
            # containers of one task may run as different users
            os.chmod(path, 0o1777)
        if paths:
            _make_passage(root / _PARTS)
            (root / _PARTS / spec.attempt_id).touch()
    except OSError as error:
        raise SpecRejected(f"CannotCreateVolumeError: {error.strerror}") from error


def _make_passage(path: Path) -> None:
    """There is such a folder, through which only who knows what is in it can go."""
    path.mkdir(exist_ok=True)
    found = os.lstat(path)
    if not (stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()):
        raise PermissionError(errno.EPERM, f"{path} is not a folder of ours")
    os.chmod(path, 0o711)


def sharing_parts(config: ProcessConfig) -> Mapping[str, AttemptId]:
    """The parts that share folders, each with the attempt that it belongs to."""
    return {path.name: AttemptId(path.parts[-3]) for path in config.shared_dir.glob(f"*/{_PARTS}/*")}


def remove_shared(whole_id: AttemptId, config: ProcessConfig) -> None:
    """Nothing of what the parts of the attempt shared is left, as far as we may remove it. Repeatable."""
    root = shared_folder(whole_id, config)
    if os.geteuid() != 0:  # root enters every folder, and users that are not ours could put links in its way
        for folder, _, _ in os.walk(root):
            with suppress(OSError):
                os.chmod(folder, 0o700)  # what its owner may not enter could not be emptied
    shutil.rmtree(root, ignore_errors=True)
    if root.exists():
        _log.warning("shared_folder_left", path=str(root))
