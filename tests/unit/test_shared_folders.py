"""Results that several people share: what one has finished others can read, and what they cannot read is no damage."""

import os
import stat
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from leakage.errors import StoreError
from leakage.store.blocks import Blocks
from leakage.store.record import Record, Status

NOBODY = 65534


@pytest.fixture
def shared():
    """A folder that everyone may enter; pytest's own is its owner's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def finish(folder):
    """A record with a file as safetensors and torch write theirs, private."""
    record = Record(folder)
    with record.writing("adapter", "1", identity={}) as draft:
        draft.path("weights.bin").write_bytes(b"w")
        (folder / "weights.bin").chmod(0o600)
    return record


def said_by_another_user(ask):
    """What another user is answered, an error's sentence included; only root can become one."""
    if os.geteuid():
        pytest.skip("only root can look at a folder as another user")
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setuid(NOBODY)
            said = str(ask())
        except StoreError as error:
            said = f"error: {error}"
        except BaseException as error:  # whatever it is, the child must not go on as a second pytest
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.parametrize(("of_folder", "of_files"), [(0o755, 0o644), (0o2775, 0o664), (0o700, 0o600)])
def test_files_of_a_finished_record_have_the_mode_of_their_folder(shared, of_folder, of_files):
    (shared / "record").mkdir()
    (shared / "record").chmod(of_folder)
    record = finish(shared / "record")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in record.folder.iterdir()}
    assert modes == {"manifest.json": of_files, "weights.bin": of_files}


def test_a_colleagues_finished_record_is_done_for_everyone(shared):
    record = finish(shared / "record")
    assert said_by_another_user(Record(record.folder).status) == Status.DONE


@pytest.mark.parametrize("name", ["manifest.json", "weights.bin"])
def test_a_file_that_cannot_be_read_is_an_error_and_never_damage(shared, name):
    """As damage it would be set aside and made anew, for hours."""
    record = finish(shared / "record")
    (record.folder / name).chmod(0o600)
    said = said_by_another_user(Record(record.folder).status)
    path = record.folder / name
    assert said == f"error: cannot read {path}: Permission denied; ask its owner to make it readable for you"
    assert Record(record.folder).status() is Status.DONE


def test_a_block_that_cannot_be_read_is_not_made_again(shared):
    blocks, file = Blocks(shared), shared / "0-4.parquet"
    blocks.keep("0-4", pd.DataFrame({"a": [1]}))  # reads it too: another user may not be able to import the reader
    file.chmod(0o600)
    said = said_by_another_user(lambda: blocks.read("0-4"))
    assert said.startswith(f"error: cannot read {file}: ")
    assert file.exists()
