"""Small programs for tests that look for one in PATH: they speak as the real one does on another machine."""

import os


def put_in_path(folder, monkeypatch, name, script):
    """Make a program of that name out of shell lines, and find it before any other."""
    folder.mkdir(exist_ok=True)
    (folder / "new").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "new").chmod(0o755)
    (folder / "new").rename(folder / name)  # one that is being run stays whole
    if os.environ["PATH"].partition(":")[0] != str(folder):
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
