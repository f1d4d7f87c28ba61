"""Which promises the evidence breaks.  Pure: each check is a function from evidence to complaints.

The promises are those of the protocol: S1 one leader an epoch, S2 epochs never go back, S3 an id is
one identity's for ever, S4 what was acknowledged is kept, S5 shown once, S6 causes first, S7 one
order, S8 all are of one mind in the end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.chaos.evidence import Epoch, Evidence, LineKey, View, answered_by, line_of

SHOWN_MAX = 5  # of the same kind in one complaint


def violations(evidence: Evidence) -> list[str]:
    """Every broken promise, one line each, the same for the same evidence."""
    return [*evidence.complaints, *(told for check in CHECKS for told in check(evidence))]


# ---- leaders and ids -----------------------------------------------------------------------------


def one_leader_an_epoch(evidence: Evidence) -> Iterator[str]:
    """S1, as the discovery service and all nodes saw it at any time."""
    leaders: dict[Epoch, set[int]] = defaultdict(set)
    for grant in evidence.grants:
        leaders[grant.epoch].add(grant.leader)
    for led in evidence.led:
        if led.leader and not led.provisional:
            leaders[led.epoch].add(led.leader)
    for epoch, found in sorted(leaders.items()):
        if len(found) > 1:
            yield f"S1: epoch {epoch} has the leaders {sorted(found)}"


def epochs_increase(evidence: Evidence) -> Iterator[str]:
    """S1: what the discovery service issues only rises, whatever happened to its disk."""
    for before, after in pairwise(evidence.grants):
        if after.epoch <= before.epoch:
            yield f"S1: the discovery service issued {after.epoch} after {before.epoch}"


def nobody_goes_back(evidence: Evidence) -> Iterator[str]:
    """S2, for each node through all of its lives."""
    highest: dict[str, Epoch] = {}
    for led in evidence.led:
        before = highest.get(led.node, (0, 0))
        if led.epoch < before:
            yield f"S2: {led.node} goes back from epoch {before} to {led.epoch}"
        highest[led.node] = max(before, led.epoch)


def ids_are_unique(evidence: Evidence) -> Iterator[str]:
    """S3: an id has one identity, an identity at most one id with which it belongs."""
    owners: dict[int, set[str]] = defaultdict(set)
    for one in evidence.members:
        owners[one.member].add(one.identity)
    for member, found in sorted(owners.items()):
        if len(found) > 1:
            yield f"S3: id {member} is that of {len(found)} identities: {sorted(found)}"
    for view in evidence.views:
        mine = next((found for id, found in owners.items() if id == view.member), set())
        for other in evidence.views:
            if other.node != view.node and other.member == view.member:
                yield f"S3: {view.node} and {other.node} are both {view.member} ({sorted(mine)})"


def one_leader_in_the_end(evidence: Evidence) -> Iterator[str]:
    """S8: all name the same leader, who is one of them and whom the discovery service names."""
    named = {view.node: (view.leader, view.epoch, view.provisional) for view in evidence.views}
    if not named:
        yield "S8: nobody could be asked in the end"
        return
    if len(set(named.values())) > 1:
        yield f"S8: they name different leaders: {named}"
        return
    leader, epoch, provisional = next(iter(named.values()))
    if provisional:
        yield f"S8: {leader} leads epoch {epoch} provisionally"
    if leader not in {view.member for view in evidence.views}:
        yield f"S8: {leader} leads, and is none of them"
    if evidence.listed != (leader, epoch):
        told = f"the discovery service names {evidence.listed}"
        yield f"S8: they follow {leader} at {epoch}; {told}"


# ---- lines ---------------------------------------------------------------------------------------


def nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    """S4: what was acknowledged is in every history, and in every database."""
    for view in evidence.views:
        places = {"history": view.history, "database": tuple(one.text for one in view.held)}
        for where, texts in places.items():
            there = set(map(line_of, texts))
            kept = [one for one in evidence.said.values() if one.stored_at]
            missing = [one for one in kept if one.name not in there]
            if missing:
                whole = [one.name for one in missing if one.all_at]
                told = f"{listing([one.name for one in missing])}"
                told += f"; acknowledged by all: {listing(whole)}" if whole else ""
                yield f"S4: the {where} of {view.node} lacks what was acknowledged: {told}"


def nothing_is_invented(evidence: Evidence) -> Iterator[str]:
    """S4: a text is as it was said."""
    texts = {one.text for one in evidence.said.values()}
    for view in evidence.views:
        strange = sorted({text for text in view.history if text not in texts})
        if strange:
            yield f"S4: {view.node} has lines that nobody said: {listing(strange)}"


def nothing_is_there_twice(evidence: Evidence) -> Iterator[str]:
    """S5, in the histories and databases."""
    for view in evidence.views:
        for where, texts in (("history", view.history), ("database", [h.text for h in view.held])):
            counts = Counter(map(line_of, texts))
            if twice := sorted(name for name, count in counts.items() if count > 1):
                yield f"S5: the {where} of {view.node} has lines twice: {listing(twice)}"


def nothing_is_shown_twice(evidence: Evidence) -> Iterator[str]:
    """S5, to somebody who watches without a break."""
    seen: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for shown in evidence.shown:
        seen[shown.node, shown.watch][line_of(shown.text)] += 1
    for (node, _), counts in sorted(seen.items()):
        if twice := sorted(name for name, count in counts.items() if count > 1):
            yield f"S5: {node} shows lines again: {listing(twice)}"


def causes_come_first(evidence: Evidence) -> Iterator[str]:
    """S6, as it was shown: no answer before what it answers.

    What somebody began to watch too late to be shown is nobody's fault.
    """
    watches: dict[tuple[str, int], list[str]] = defaultdict(list)
    for shown in evidence.shown:
        watches[shown.node, shown.watch].append(shown.text)
    for (node, _), texts in sorted(watches.items()):
        first: dict[str, int] = {}
        for k, text in enumerate(texts):
            first.setdefault(line_of(text), k)
        for k, text in enumerate(texts):
            if first.get(answered_by(text), -1) > k:
                yield f"S6: {node} shows {text!r} before {answered_by(text)!r}"


def causes_stand_first(evidence: Evidence) -> Iterator[str]:
    """S6 and S7, as the histories stand in the end."""
    for view in evidence.views:
        there: set[str] = set()
        last: dict[str, int] = {}
        for text in view.history:
            name, cause = line_of(text), answered_by(text)
            if cause and cause not in there:
                yield f"S6: in the history of {view.node} {text!r} stands before {cause!r}"
            author, _, number = name.partition(" ")
            if number.isdecimal():
                if int(number) < last.get(author, 0):
                    yield f"S7: in the history of {view.node} {name!r} stands after a later one"
                last[author] = int(number)
            there.add(name)


def dependencies_are_there(evidence: Evidence) -> Iterator[str]:
    """S6: what a line in a database follows is there too, at a lower place."""
    for view in evidence.views:
        places = {one.key: one.place for one in view.held}
        for one in view.held:
            for dep in one.deps:
                if dep not in places:
                    yield f"S6: {view.node} holds {one.text!r} without what it follows ({dep})"
                elif places[dep] >= one.place:
                    yield f"S7: {view.node} has {one.text!r} at a place below what it follows"


def one_history(evidence: Evidence) -> Iterator[str]:
    """S7 and S8: the same lines in the same order, and one fingerprint."""
    views = sorted(evidence.views, key=lambda view: view.node)
    for one, other in pairwise(views):
        if set(one.history) != set(other.history):
            differ = sorted(set(one.history) ^ set(other.history))
            yield f"S8: {one.node} and {other.node} differ in {listing(differ)}"
        elif one.history != other.history:
            pairs = zip(one.history, other.history, strict=False)  # one may have a line twice
            told = next((f"{a!r} and {b!r}" for a, b in pairs if a != b), "there twice")
            yield f"S7: a line of {one.node} and of {other.node} is {told}"
    if len({view.fingerprint for view in views}) > 1:
        told = ", ".join(f"{view.node} {view.fingerprint}" for view in views)
        yield f"S8: the fingerprints differ: {told}"
    for view in views:
        if view.held and tuple(one.text for one in view.held) != view.history:
            yield f"S7: {view.node} shows another order than its database has"


def keys_name_one_message(evidence: Evidence) -> Iterator[str]:
    """S5: one key, one id and one text for each line, wherever it is."""
    known: dict[LineKey, tuple[str, str]] = {}
    for view in evidence.views:
        for one in view.held:
            before = known.setdefault(one.key, (one.id, one.text))
            if before != (one.id, one.text):
                yield f"S5: key {one.key} is {before[1]!r} and, at {view.node}, {one.text!r}"


def all_are_there(evidence: Evidence) -> Iterator[str]:
    """S8: everyone is alive in everyone's eyes, and nothing waits to be sent."""
    count = len(evidence.views)
    for view in evidence.views:
        if (view.alive, view.outbox) != (count, 0):
            yield f"S8: {view.node} sees {_seen(view)}; {count} are there"


def _seen(view: View) -> str:
    return f"{view.alive} of {view.known} alive, {view.outbox} lines in its outbox"


def listing(names: list[str]) -> str:
    """A few of them, and how many there are."""
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return ", ".join(names[:SHOWN_MAX]) + more


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    one_leader_an_epoch,
    epochs_increase,
    nobody_goes_back,
    ids_are_unique,
    one_leader_in_the_end,
    nothing_is_lost,
    nothing_is_invented,
    nothing_is_there_twice,
    nothing_is_shown_twice,
    causes_come_first,
    causes_stand_first,
    dependencies_are_there,
    one_history,
    keys_name_one_message,
    all_are_there,
)
