"""Where a verb says things: data on stdout, talk on stderr, each line flushed.

A reader that goes away (`| head`) ends the verb quietly.
"""

import os
import sys
from collections.abc import Iterable

from ..errors import OutputFailed
from .render import records, tables
from .render.text import clean
from .streams import silence


class ReaderGone(Exception):
    """Whoever read stdout has closed it."""


class Output:
    """The two streams of a verb."""

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.color = False  # whether lines may be set off by colour
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure:  # never a traceback for a character that the terminal lacks
                reconfigure(errors="backslashreplace")

    def lines(self, lines: Iterable[str]) -> None:
        """Data for people.

        Raises:
            ReaderGone: nobody reads any more.
            OutputFailed: it cannot be written, and no later line will be.
        """
        for line in lines:
            try:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            except BrokenPipeError as error:
                raise ReaderGone from error
            except OSError as error:
                silence(1)  # it is said once
                raise OutputFailed(text=error.strerror) from error

    def rows(self, rows: Iterable[records.Row]) -> None:
        """Data for programs."""
        self.lines(map(records.dumped, rows))

    def note(self, *lines: str) -> None:
        """Talk."""
        if not self.quiet:
            self.complain(*lines)

    def complain(self, *lines: str) -> None:
        """What is said even with --quiet; some of its words may have come from others."""
        try:
            for line in lines:
                sys.stderr.write(clean(line) + "\n")
                sys.stderr.flush()
        except OSError:  # nobody can be told that
            silence(2)

    def answer(self, answer: tables.Answer) -> int:
        """All of an answer; its exit code."""
        self.lines(tables.printed(answer, self.as_json))
        self.note(*answer.notes)
        return answer.exit


def wants_color(choice: str) -> bool:
    """`choice` is auto, always or never; auto: a terminal that can, and no NO_COLOR."""
    if choice != "auto":
        return choice == "always"
    able = os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    return able and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
