"""The decisions: pure functions from what is kept to what is to be kept, and what to say."""

from collections.abc import Callable
from itertools import chain, count

from msgspec.structs import replace

from nds.record.values import (
    AHEAD_S,
    BLOCK,
    GENERATION,
    HIDDEN_MS,
    IDLE_MS,
    INTEGER_MAX,
    NAME_MAX,
    NO_EPOCH,
    NO_IDS,
    SILENCE_MS,
    STALL_MS,
    Answer,
    Ask,
    Begun,
    Claim,
    Create,
    Decision,
    Ending,
    Epoch,
    Facts,
    Granted,
    IdBlock,
    Kept,
    Noted,
    Reason,
    Record,
    Refused,
    Removal,
    Removed,
    Renewal,
    Renewed,
    Speaker,
    Word,
)

NO_FACTS = Facts()


def start_generation(stored: int, now_ms: int) -> int:
    """The generation of a service that starts now; `stored` is that of its last start, or 0.

    To be kept before it serves, and served only from `serves_at(generation)` on.
    """
    return max(stored + 1, now_ms // 1000)


def serves_at(generation: int) -> int:
    """The instant, in unix ms, before which a service of this generation must not answer.

    So a service whose disk is lost within the second of its start cannot issue an epoch twice.
    """
    return (generation + 1) * 1000


def believable(epoch: Epoch, now_ms: int) -> bool:
    """Whether a service with a clock like ours can have issued this epoch.

    A generation from the far future would keep this service from ever starting again.
    """
    return epoch.generation <= now_ms // 1000 + AHEAD_S


def is_idle(record: Record, now_ms: int) -> bool:
    """Whether the leader has not been heard for a minute."""
    return now_ms - record.seen_ms >= IDLE_MS


def is_hidden(record: Record, now_ms: int) -> bool:
    """Whether the leader has not been heard for a day: no more listed unless asked for."""
    return now_ms - record.seen_ms >= HIDDEN_MS


def create(kept: Kept, request: Create, now_ms: int) -> Decision[Granted | Refused]:
    """Make a network whose first leader is the caller.

    `kept.record` is the network that this request id made before, if any: then nothing changes.
    """
    record = kept.record
    if record is not None:
        return Decision(record, kept.generation, _created_before(record, request))
    if kept.taken(request.name):
        return Decision(None, kept.generation, Refused(Reason.NAME_TAKEN))
    ids = IdBlock(kept.generation * GENERATION + 1, BLOCK)
    record = Record(
        chat=request.chat,
        name=request.name,
        mode=request.mode,
        created_ms=now_ms,
        epoch=Epoch(kept.generation, 1),
        leader=ids.first,
        address=request.address,
        next_n=1 + BLOCK,
        seen_ms=now_ms,
        ids=ids,
        request=request.request,
        claim_key=request.by.claim_key,
        owner=request.by.owner,
        certificate=request.by.certificate,
        host=request.by.host,
    )
    return Decision(record, kept.generation, Granted(record, ids, _question(record)))


def claim_begin(kept: Kept, claim: Claim, now_ms: int) -> Decision[Begun]:
    """Decide a claim as far as that goes without the old leader; `Ask` where it must be asked.

    It may expect a later epoch than the record's that we never issued, as members do to whom
    somebody in our place has lied: it counts as the record's.

    The record's own leader, claiming after a restart by its certificate, is not asked about itself;
    nor is one that is shown to be a member no longer: whatever it says, it leads nobody.
    """
    if (refused := _unproved(kept, claim.by, claim.facts)) is not None:
        return refused
    record, generation = _recall(kept, claim.chat, claim.facts, claim.by, now_ms)
    if record is None:
        return Decision(None, generation, Refused(Reason.UNKNOWN_NETWORK))
    if record.nonce == claim.nonce != 0 and record.leader == claim.node:
        return Decision(record, generation, Granted(record, record.ids))
    if record.epoch > claim.expected or claim.only_fate:
        return Decision(record, generation, Refused(Reason.STALE_EPOCH, record))
    is_itself = record.leader == claim.node and record.certificate == claim.by.certificate
    unasked = is_itself or _is_expelled(record, claim)
    if record.address and not unasked:
        return Decision(record, generation, _question(record, claim.votes))
    return _grant(replace(kept, record=record, generation=generation), record, claim, now_ms)


def claim_finish(
    kept: Kept, claim: Claim, ask: Ask, answer: Answer, now_ms: int
) -> Decision[Granted | Refused]:
    """Decide a claim with the old leader's answer to the `Ask` of `claim_begin`.

    `kept` is read anew: renewals and deletions may have come between.
    """
    if (refused := _unproved(kept, claim.by)) is not None:
        return refused
    noted = heard(kept, ask, answer, now_ms)
    record, generation = noted.record, noted.generation
    if record is None:
        return Decision(None, generation, Refused(Reason.UNKNOWN_NETWORK))
    if _is_led(record, answer, ask, now_ms):
        return Decision(record, generation, Refused(Reason.LEADER_ALIVE, record))
    if record.epoch != ask.epoch:
        return Decision(record, generation, Refused(Reason.STALE_EPOCH, record))
    if answer.word is Word.SILENT and _believed(record, claim, now_ms):
        return Decision(record, generation, Refused(Reason.LEADER_ALIVE, record))
    return _grant(replace(kept, generation=generation), record, claim, now_ms)


def renew(kept: Kept, renewal: Renewal, now_ms: int) -> Decision[Renewed | Refused]:
    """Take down that the leader lives.  A deposed one gets the record that replaced it.

    A deleted network is unknown to its leader: only a claim revives it, so that a renewal which was
    long on its way does not.  A leader that has another key than it had claims anew, and is asked
    for where it was before: else whoever has the claim key could have it sought elsewhere.
    """
    facts = known_by_leader(renewal)
    if (refused := _unproved(kept, renewal.by, facts)) is not None:
        return refused
    record, generation = _recall(kept, renewal.chat, facts, renewal.by, now_ms)
    if record is None or record.deleted:
        return Decision(record, generation, Refused(Reason.UNKNOWN_NETWORK))
    if record.epoch != renewal.epoch:
        return Decision(record, generation, Renewed(record))
    is_another = record.certificate not in (b"", renewal.by.certificate)
    if record.leader and (record.leader != renewal.node or is_another):
        return Decision(record, generation, Refused(Reason.NOT_LEADER, record))
    record = replace(
        record,
        leader=renewal.node,
        address=renewal.address,
        seen_ms=now_ms,
        answered=record.answered and record.address == renewal.address,
        claim_key=renewal.by.claim_key or record.claim_key,
        owner=record.owner or renewal.by.owner,
        certificate=renewal.by.certificate,
        host=renewal.by.host,
    )
    ids = NO_IDS
    if renewal.want_ids:
        record, ids, generation = _block(record, generation, facts)
    ask = None if record.answered else _question(record)
    return Decision(record, generation, Renewed(record, ids, ask))


def heard(kept: Kept, ask: Ask, answer: Answer, now_ms: int) -> Decision[Noted]:
    """Take down what a leader said of itself.

    "I lead at a higher epoch" repairs the record where we have signed that.
    """
    record, generation = kept.record, kept.generation
    if record is None or record.deleted or record.epoch != ask.epoch or record.leader != ask.leader:
        return Decision(record, generation, Noted())
    if answer.word in {Word.SILENT, Word.REFUSED} or not believable(answer.epoch, now_ms):
        return Decision(record, generation, Noted())
    record = replace(record, answered=True)
    if _leads(answer, ask, now_ms):
        record = replace(record, seen_ms=now_ms)
        if answer.epoch > record.epoch and answer.is_sworn:
            leader = answer.leader or record.leader
            record = replace(record, epoch=answer.epoch, leader=leader, nonce=0, ids=NO_IDS)
            if leader != ask.leader:
                record = replace(record, certificate=b"")
            generation = max(generation, answer.epoch.generation + 1)
    return Decision(record, generation, Noted())


def remove_begin(kept: Kept, removal: Removal) -> Decision[Ending]:
    """End a network as far as that goes without its leader; `Ask` where it must be asked.

    The leader, known by its certificate, is not asked about itself; nor is anybody where
    connections prove none.
    """
    record, generation = kept.record, kept.generation
    if record is None:
        return Decision(None, generation, Refused(Reason.UNKNOWN_NETWORK))
    if (refused := _unproved(kept, removal.by)) is not None:
        return refused
    if record.epoch > removal.epoch and not record.deleted:
        return Decision(record, generation, Refused(Reason.STALE_EPOCH, record))
    if record.address and removal.by.certificate not in (b"", record.certificate):
        return Decision(record, generation, _question(record))
    return _ended(record, generation)


def remove_finish(
    kept: Kept, removal: Removal, ask: Ask, answer: Answer, now_ms: int
) -> Decision[Removed | Refused]:
    """End a network with its leader's answer to the `Ask` of `remove_begin`.

    `kept` is read anew.  Who yields leads still, and hands over to another.
    """
    if (refused := _unproved(kept, removal.by)) is not None:
        return refused
    noted = heard(kept, ask, answer, now_ms)
    record, generation = noted.record, noted.generation
    if record is None:
        return Decision(None, generation, Refused(Reason.UNKNOWN_NETWORK))
    if _is_led(record, answer, ask, now_ms):
        return Decision(record, generation, Refused(Reason.LEADER_ALIVE, record))
    if record.epoch != ask.epoch:
        return Decision(record, generation, Refused(Reason.STALE_EPOCH, record))
    if answer.word is Word.YIELD or (answer.word is Word.SILENT and _is_trusted(record, now_ms)):
        return Decision(record, generation, Refused(Reason.LEADER_ALIVE, record))
    return _ended(record, generation)


def _ended(record: Record, generation: int) -> Decision[Removed]:
    """The name is free at once; epoch and ids stay as a tombstone for ever."""
    record = replace(record, leader=0, address="", nonce=0, ids=NO_IDS, deleted=True)
    return Decision(record, generation, Removed(record))


def free_name(name: str, chat: int, taken: Callable[[str], bool]) -> str:
    """`name`, or where another has it, `name-` and 4 hex digits of the chat (`-2`, ...)."""
    if not taken(name):
        return name
    stem = f"{name[: NAME_MAX - 12]}-{f'{chat:016x}'[:4]}"
    later = (f"{stem}-{k}" for k in count(2))
    return next(free for free in chain([stem], later) if not taken(free))


def _unproved(kept: Kept, by: Speaker, facts: Facts = NO_FACTS) -> Decision[Refused] | None:
    """The refusal of a caller that does not speak for the network; None: it does.

    Looked at first of all: nothing that a stranger knows, or pretends to, repairs a record.  Where
    we have forgotten, our own word says who speaks for it.
    """
    record, key = kept.record, facts.claim_key
    if record is None and not facts.is_sworn:
        return Decision(None, kept.generation, Refused(Reason.UNKNOWN_NETWORK))
    if record is None and (not key or key in by.proved):
        return None
    if record is None:
        return Decision(None, kept.generation, Refused(Reason.WRONG_CLAIM_KEY))
    if record.is_spoken_for(by) or (facts.epoch > record.epoch and key in by.proved):
        return None
    shown = None if record.deleted else record
    return Decision(record, kept.generation, Refused(Reason.WRONG_CLAIM_KEY, shown))


def _recall(
    kept: Kept, chat: int, facts: Facts, by: Speaker, now_ms: int
) -> tuple[Record | None, int]:
    """The record and generation, repaired by what a caller knows that we forgot.

    An epoch that we have signed and that is above the record's, or of no record, proves that this
    service lost its disk or got an old one back: the caller's epoch is taken over, and the next one
    will be of a higher generation.
    """
    record, generation = kept.record, kept.generation
    if facts.is_sworn and facts.epoch > NO_EPOCH and believable(facts.epoch, now_ms):
        leader, address = (facts.leader, facts.address) if facts.leader else (0, "")
        if record is None or facts.epoch > record.epoch:
            if record is None or record.deleted:
                record = _revived(record, chat, facts, kept.taken)
            if facts.claim_key:
                record = replace(record, claim_key=facts.claim_key)
            if kept.record is None:
                key = record.claim_key or by.claim_key
                next_n = _next_n(record, facts)
                record = replace(record, claim_key=key, owner=by.owner, next_n=next_n)
            record = replace(record, epoch=facts.epoch, leader=leader, address=address)
            record = replace(record, seen_ms=0, nonce=0, ids=NO_IDS, answered=False)
            record = replace(record, certificate=b"", host=by.host)
            generation = max(generation, facts.epoch.generation + 1)
        elif facts.epoch == record.epoch and not record.leader and not record.deleted:
            record = replace(record, leader=leader, address=address)
            record = replace(record, certificate=b"", host=by.host)
    if record is not None and by.handovers:
        *former, owner = record.owners(by)
        record = replace(record, owner=owner, former=tuple(former))
    return record, generation


def _revived(
    record: Record | None, chat: int, facts: Facts, taken: Callable[[str], bool]
) -> Record:
    """A living record made of a tombstone, or of nothing but facts."""
    kept_name = record.name if record is not None else f"{chat:016x}"
    name = free_name(facts.name or kept_name, chat, taken)
    if record is not None:
        return replace(record, name=name, deleted=False)
    return Record(
        chat=chat,
        name=name,
        mode=facts.mode,
        created_ms=facts.created_ms,
        epoch=NO_EPOCH,
        leader=0,
        address="",
        next_n=1,
        seen_ms=0,
    )


def known_by_leader(renewal: Renewal) -> Facts:
    """The facts of a renewal: its sender leads the epoch that it renews."""
    facts = renewal.facts
    if facts.epoch > renewal.epoch:
        return facts
    return replace(facts, epoch=renewal.epoch, leader=renewal.node, address=renewal.address)


def _created_before(record: Record, request: Create) -> Granted | Refused:
    """The answer to a repeated request: the same, as long as nobody else has taken over."""
    if record.deleted:
        return Refused(Reason.UNKNOWN_NETWORK)
    if record.name != request.name:
        return Refused(Reason.REQUEST_REUSED, record)
    first_epoch = record.epoch.n == 1 and record.ids != NO_IDS
    return Granted(record, record.ids if first_epoch else NO_IDS)


def _question(record: Record, votes: tuple[int, ...] = ()) -> Ask:
    return Ask(record.leader, record.address, record.epoch, votes, record.certificate, record.host)


def _leads(answer: Answer, ask: Ask, now_ms: int) -> bool:
    """Whether the asked one leads the epoch that it was asked about, or a later one."""
    leading = answer.word is Word.LEADING and answer.epoch >= ask.epoch
    return leading and believable(answer.epoch, now_ms)


def _is_led(record: Record, answer: Answer, ask: Ask, now_ms: int) -> bool:
    """Whether the asked one leads this network, which may have gone to another meanwhile."""
    is_of_it = record.epoch in (ask.epoch, answer.epoch) and not record.deleted
    return is_of_it and _leads(answer, ask, now_ms)


def _is_expelled(record: Record, claim: Claim) -> bool:
    """Was the leader removed, by one that had the right to it?  Who owns it now is by nobody."""
    member, person, by = claim.expelled
    if member != record.leader or person == record.owner:
        return False
    return any(owner in by for owner in reversed(record.owners()) if owner)


def _believed(record: Record, claim: Claim, now_ms: int) -> bool:
    """Whether a silent leader counts as leading: one that its members do not miss.

    One that we never reached is missed by a majority.  One that we did reach may have stalled for
    a moment: it is not missed by one member of three or more that nobody seconds, as one does that
    is cut off from all the others and claims again and again.
    """
    voters = len(set(claim.votes))
    if record.answered:
        return voters < 2 < claim.electorate and 0 <= now_ms - record.seen_ms < STALL_MS
    return not 2 * voters > claim.electorate > 0 and _is_trusted(record, now_ms)


def _is_trusted(record: Record, now_ms: int) -> bool:
    """Whether a silent leader is believed by its renewals, whoever misses it.

    Only one that we never reached (it may stand behind a wall that its members see through), and
    that renewed a moment ago.
    """
    return not record.answered and 0 <= now_ms - record.seen_ms < SILENCE_MS


def _grant(kept: Kept, record: Record, claim: Claim, now_ms: int) -> Decision[Granted]:
    """Make the claimant leader of the next epoch."""
    if record.deleted:
        record = _revived(record, record.chat, claim.facts, kept.taken)
    epoch = Epoch(kept.generation, record.epoch.n + 1)
    if epoch.n > INTEGER_MAX:
        epoch = Epoch(kept.generation + 1, 1)
    assert epoch > record.epoch, f"{epoch} would not follow {record}"
    record = replace(
        record,
        epoch=epoch,
        leader=claim.node,
        address=claim.address,
        seen_ms=now_ms,
        nonce=claim.nonce,
        answered=False,
        claim_key=record.claim_key or claim.by.claim_key,
        owner=record.owner or claim.by.owner,
        certificate=claim.by.certificate,
        host=claim.by.host,
    )
    record, ids, generation = _block(record, epoch.generation, claim.facts)
    record = replace(record, ids=ids)
    return Decision(record, generation, Granted(record, ids, _question(record)))


def _block(record: Record, generation: int, facts: Facts) -> tuple[Record, IdBlock, int]:
    """Take the next block of ids; gives the generation of the next one, too.

    Once a generation's have all been given, those of the next begin.
    """
    next_n = _next_n(record, facts)
    if next_n >= GENERATION:
        generation, next_n = generation + 1, 1
    size = min(BLOCK, GENERATION - next_n)
    ids = IdBlock(generation * GENERATION + next_n, size)
    return replace(record, next_n=next_n + size), ids, generation


def _next_n(record: Record, facts: Facts) -> int:
    """The next number that people see.  None is given twice that the caller knows of; of half a
    million nobody is believed, or who used the others up at will would move our generation.
    """
    seen = facts.highest_n + 1 if facts.highest_n < GENERATION // 2 else 0
    return max(record.next_n, seen)
