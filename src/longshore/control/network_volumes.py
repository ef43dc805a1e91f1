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
    efs, s3files = volume.efs_volume_configuration, volume.s3files_volume_configuration
    if efs is not None:
        folder = folder_of(efs, file_systems)
    elif s3files is not None:
        point = _id_of(s3files.access_point_arn) if s3files.access_point_arn is not None else None
        folder = _folder(_id_of(s3files.file_system_arn), point, s3files.root_directory, file_systems)
    else:
        return volume
    return replace(
        volume,
        efs_volume_configuration=None,
        s3files_volume_configuration=None,
        host=HostVolume(source_path=folder),
    )


def folder_of(efs: EfsVolume, file_systems: Mapping[str, Path]) -> str:
    """The folder of this machine that stands for it. Raises UnknownFileSystem."""
    access = efs.authorization_config
    point = access.access_point_id if access is not None else None
    return _folder(efs.file_system_id, point, efs.root_directory, file_systems)


def _id_of(arn: str) -> str:
    """The last part of an ARN: `fs-...` or `fsap-...`."""
    return arn.rpartition("/")[2]


def _folder(file_system: str, point: str | None, root_directory: str | None, file_systems: Mapping[str, Path]) -> str:
    # Source of the texts: Amazon ECS developer guide, stopped tasks error messages.
    prefix = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    root = file_systems.get(file_system)
    if root is None:
        raise UnknownFileSystem(
            f'{prefix}Failed to resolve "{file_system}" - check that your file system ID is correct: '
            "the setting volumes.efs names no folder for it"
        )
    if point is not None:
        # The root directory and user of an access point are kept by AWS alone.
        root = file_systems.get(point)
        if root is None:
            raise UnknownFileSystem(f"{prefix}the access point {point} has no folder in the setting volumes.efs")
    # `..` at the root of a file system is the root.
    inside = posixpath.normpath(f"/{root_directory or '/'}").lstrip("/")
    folder = (root / inside).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise UnknownFileSystem(f"{prefix}{root_directory} leads out of the file system")
    if not folder.is_dir():
        raise UnknownFileSystem(
            f"{prefix}mount.nfs4: mounting {file_system}:{root_directory or '/'} failed, reason given by "
            "server: No such file or directory"
        )
    return str(folder)
