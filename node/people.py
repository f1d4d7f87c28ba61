"""Which member somebody means: the one way to read who is named, for rulings, pings and `/whois`.

A nick, nick#id, the small id, the whole one, or the first digits of an identity; an @ may stand
before.  Nobody's nick stands above another's id: what fits two people is nobody's name.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from .core.types import MemberId, small
from .errors import AmbiguousMember, NoSuchMember, nearest

DIGITS_MIN = 4  # of an identity, by which somebody is named
CHOICES_MAX = 5  # that are said


class Person(Struct, frozen=True):
    """A member as people see it; the identity in hex, as far as it is shown."""

    id: MemberId
    nick: str
    identity: str

    @property
    def names(self) -> tuple[str, ...]:
        """All that stands for it, folded, but for digits of its identity."""
        nick, number = self.nick.casefold(), str(small(self.id))
        return nick, number, str(self.id), f"{nick}#{number}", f"{nick}#{self.id}"


def meant(people: Sequence[Person], wanted: str, chat: str) -> Person:
    """Who of these is meant; of one identity's records the newest.

    Raises:
        NoSuchMember: nobody is called so.
        AmbiguousMember: several are, each by another kind of name perhaps.
    """
    text = wanted.lstrip("@").casefold()
    found = _newest(one for one in people if _fits(one, text))
    if len(found) > 1:
        raise AmbiguousMember(name=wanted, chat=chat, choices=_choices(found, people))
    if found:
        return found[0]
    near = nearest(text, [one.nick for one in people], mark="")
    raise NoSuchMember(name=wanted, chat=chat, near=near)


def _fits(one: Person, text: str) -> bool:
    return text in one.names or (len(text) >= DIGITS_MIN and one.identity.startswith(text))


def _newest(found: Iterable[Person]) -> list[Person]:
    """One record of each identity, in order of id."""
    latest = {one.identity or one.id: one for one in sorted(found, key=lambda one: one.id)}
    return sorted(latest.values(), key=lambda one: one.id)


def _choices(found: Sequence[Person], people: Sequence[Person]) -> str:
    said = [_spelled(one, people) for one in found[:CHOICES_MAX]]
    more = len(found) - len(said)
    return f"{' or '.join(said)}{f', or {more} more' if more else ''}"


def _spelled(one: Person, people: Sequence[Person]) -> str:
    """nick#id, which is nobody else's: no nick has a # in it."""
    short = f"{one.nick}#{small(one.id)}"
    alone = len(_newest(other for other in people if short.casefold() in other.names)) == 1
    return short if alone else f"{one.nick}#{one.id}"
