"""The user that an attempt runs as."""

import grp
import os
import pwd
from typing import NamedTuple

#: group of a user that the machine has no entry for: one that owns nothing
_NO_GROUP = 65534


class AccountRefused(Exception):
    """The attempt cannot run as this user; the text says why."""


class Account(NamedTuple):
    """What a process needs to become a user."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def find_account(user: str) -> Account | None:
    """The account for `name`, `uid`, each maybe with `:group` or `:gid`; None when it is our own.

    Source: docker run, --user; but a number without an entry gets a group that owns nothing, not root's.
    Raises AccountRefused.
    """
    if not user:
        return None
    name, _, group = user.partition(":")
    entry = _user_entry(name)
    if entry is None and not name.isdecimal():
        raise AccountRefused(f"user {name!r} does not exist on this machine")
    uid = int(name) if entry is None else entry.pw_uid
    if group:
        gid, groups = _group_id(group), ()
    elif entry is None:
        gid, groups = _NO_GROUP, ()
    else:
        gid, groups = entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    if uid == os.geteuid() and (gid == os.getegid() or not group):
        return None
    if os.geteuid() != 0:
        raise AccountRefused(f"user {user!r}: plain processes can change their user only where the server runs as root")
    return Account(uid, gid, groups or (gid,))


def _user_entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        return None


def _group_id(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise AccountRefused(f"group {group!r} does not exist on this machine") from None
