"""Numbers on the command lines of the tests' own programs."""

import argparse


def some(text: str) -> int:
    """How many there are to be: one at least, since none would prove nothing."""
    return _at_least(1, text)


def seed(text: str) -> int:
    """What everything of a life is drawn from: 0 or more."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{number} is less than {least}")
    return number
