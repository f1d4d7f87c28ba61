"""What is known of the histories of all members together."""

from ... import words
from .text import several, who


def sameness(value: words.Comparison) -> str:
    """What is known of all histories together."""
    silent, answering = value.unanswered, len(value.rows) - len(value.unanswered)
    if value.differ:
        return "histories differ"
    if not silent:
        return "same history on every member"
    names = several(who(row.nick, row.member_id) for row in silent)
    do_not = f"{names} {'does' if len(silent) == 1 else 'do'} not"
    if answering < 2:
        known = "nobody else answers" if value.same else f"{do_not} answer"
        return f"{known}: there is nothing to compare with"
    known = f"same history on the {answering} members that answer"
    return known if value.same else f"{known}; {do_not}"  # same: those that are silent are gone


def compared(value: words.Comparison, row: words.Compared) -> str:
    """What is said of one member's history."""
    if row.same:
        return ""
    if value.halt and row.self:
        return value.halt
    return "differs" if row.fingerprint else ""
