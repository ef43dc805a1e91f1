"""What is sealed shows nothing, and opens only as it was sealed."""

import stat
import threading
from pathlib import Path

import pytest

from longshore.ports.sealing import Unsealable
from longshore.sealing import KEY_FILE, FileSealer, SealingKeyLost


def test_what_was_sealed_is_opened_by_whoever_has_the_file(tmp_path: Path) -> None:
    sealed = FileSealer(tmp_path).seal(b"secret", purpose="a")
    assert FileSealer(tmp_path).open(sealed, purpose="a") == b"secret"
    assert "secret" not in sealed
    assert FileSealer(tmp_path).seal(b"secret", purpose="a") != sealed
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]


def test_it_opens_for_nothing_else(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    sealed = FileSealer(ours).seal(b"secret", purpose="a")
    changed = sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB")
    for sealer, text, purpose in [
        (FileSealer(ours), sealed, "b"),
        (FileSealer(theirs), sealed, "a"),
        (FileSealer(ours), changed, "a"),
        (FileSealer(ours), sealed[2:], "a"),
        (FileSealer(ours), "1.", "a"),
        (FileSealer(ours), "1.\u2603", "a"),
        (FileSealer(ours), "", "a"),
    ]:
        with pytest.raises(Unsealable):
            sealer.open(text, purpose=purpose)


def test_keys_of_their_own_are_derived(tmp_path: Path) -> None:
    """The same at every start, one for each purpose, and none that tells the sealing key."""
    key = FileSealer(tmp_path).derive("a")
    assert len(key) == 32
    assert key == FileSealer(tmp_path).derive("a") != FileSealer(tmp_path).derive("b")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 44, b"QUJD"])
def test_a_damaged_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SealingKeyLost, match=f"{KEY_FILE}: is damaged"):
        FileSealer(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_programs_that_start_together_share_one_key(tmp_path: Path) -> None:
    sealers: list[FileSealer] = []
    start = threading.Barrier(4)

    def make() -> None:
        start.wait(10)
        sealers.append(FileSealer(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    sealed = [sealer.seal(b"secret", purpose="a") for sealer in sealers]
    assert [FileSealer(tmp_path).open(text, purpose="a") for text in sealed] == [b"secret"] * 4
