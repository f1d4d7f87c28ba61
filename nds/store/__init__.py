"""Where records are kept: in memory, or in a SQLite file.

A store knows how to change one record atomically, and nothing of why.
"""

from pathlib import Path

from nds.errors import StoreUnusable
from nds.store.memory import MemoryStore
from nds.store.ports import Changed, Decide, Store

__all__ = ["Changed", "Decide", "MemoryStore", "Store", "open_store"]


def open_store(path: Path | None, *, make_directory: bool = False) -> Store:
    """The store in the file at `path`, made if it does not exist; None: one in memory.

    `make_directory`: so is the directory, which must be there otherwise.

    Raises `StoreUnusable`, `StoreDamaged` and `StoreTooNew`; whatever is there is left alone then.
    """
    if path is None:
        return MemoryStore()
    from nds.store.sqlite import SqliteStore

    if make_directory:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnusable(f"cannot make {path.parent}: {error.strerror}") from error
    return SqliteStore(path)
