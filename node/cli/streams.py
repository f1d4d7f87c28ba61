"""stdin, stdout and stderr where one of them is closed, or cannot be written."""

import os
import sys


def silence(descriptor: int) -> None:
    """Points stdout (1) or stderr (2) at nothing: the interpreter's last flush does not fail."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)


def open_closed() -> None:
    """Where the program was started without stdin, stdout or stderr: nothing comes from the one,
    nothing can be written to the other, and nobody reads the last.  No file that is opened later
    gets in their place.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            way = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            fresh = os.open(os.devnull, way)
            if fresh != descriptor:
                os.dup2(fresh, descriptor)
                os.close(fresh)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
