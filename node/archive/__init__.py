"""The log of a group: what it must remember, and what faces read.

`Archive` is the contract.  `MemoryArchive` forgets at the end of the process, `SqliteArchive` keeps
a file for each group; one suite of tests holds for both.
"""

from node.archive.memory import MemoryArchive
from node.archive.ports import Archive, Unread
from node.archive.rows import uncollected
from node.archive.sqlite import FileInUse, SqliteArchive, erase

__all__ = [
    "Archive",
    "FileInUse",
    "MemoryArchive",
    "SqliteArchive",
    "Unread",
    "erase",
    "uncollected",
]
