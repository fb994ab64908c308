"""Finds the folders that ship with the program: `mappings` and `config`."""

from __future__ import annotations

from pathlib import Path


def shipped_folder(name: str) -> Path:
    """Returns the shipped folder, from the wheel or from the repository of an editable install.

    Raises FileNotFoundError when neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_shipped" / name, package.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(name)
