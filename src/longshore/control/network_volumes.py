"""Network volumes of jobs as folders of this machine."""

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from longshore.domain.container import ContainerSettings, EfsVolume, HostVolume, Volume

S = TypeVar("S", bound=ContainerSettings)


class UnknownFileSystem(Exception):
    """A volume can't be had here; the text is AWS's reason."""


def on_this_machine(settings: S, file_systems: Mapping[str, Path]) -> S:
    """`settings` with host volumes in place of network volumes. Raises UnknownFileSystem.

    `file_systems` has the folder of each file system by its id.
    """
    volumes = tuple(_local(volume, file_systems) for volume in settings.volumes)
    return settings if volumes == settings.volumes else replace(settings, volumes=volumes)


def _local(volume: Volume, file_systems: Mapping[str, Path]) -> Volume:
    if volume.s3files_volume_configuration is not None:
        arn = volume.s3files_volume_configuration.file_system_arn
        raise UnknownFileSystem(f"ResourceInitializationError: there is no S3 Files file system here: {arn}")
    efs = volume.efs_volume_configuration
    if efs is None:
        return volume
    return replace(volume, efs_volume_configuration=None, host=HostVolume(source_path=folder_of(efs, file_systems)))


def folder_of(efs: EfsVolume, file_systems: Mapping[str, Path]) -> str:
    """The folder of this machine that stands for it. Raises UnknownFileSystem."""
    # Source of the texts: Amazon ECS developer guide, stopped tasks error messages.
    prefix = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    root = file_systems.get(efs.file_system_id)
    if root is None:
        raise UnknownFileSystem(
            f'{prefix}Failed to resolve "{efs.file_system_id}" - check that your file system ID is correct: '
            "the setting volumes.efs names no folder for it"
        )
    if efs.authorization_config is not None and efs.authorization_config.access_point_id is not None:
        point = efs.authorization_config.access_point_id
        # The root directory and user of an access point are kept by AWS alone.
        root = file_systems.get(point)
        if root is None:
            raise UnknownFileSystem(f"{prefix}the access point {point} has no folder in the setting volumes.efs")
    # `..` at the root of a file system is the root.
    inside = posixpath.normpath(f"/{efs.root_directory or '/'}").lstrip("/")
    folder = (root / inside).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise UnknownFileSystem(f"{prefix}{efs.root_directory} leads out of the file system")
    if not folder.is_dir():
        raise UnknownFileSystem(
            f"{prefix}mount.nfs4: mounting {efs.file_system_id}:{efs.root_directory or '/'} failed, reason given by "
            "server: No such file or directory"
        )
    return str(folder)
