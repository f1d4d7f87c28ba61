"""The registry as an actor: the real decisions on a store that can crash, vanish and go back."""

from collections import deque
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nds import record as nds
from node.core import granting, issuing
from node.core.deciding import REMOVALS, Act, hand_over_statement
from node.core.deciding import statement as decided
from node.core.events import Answered, Event, Failed, Received
from node.core.messages import (
    Caller,
    Claim,
    Delete,
    Deleted,
    Facts,
    Grant,
    Granted,
    Lookup,
    NdsRequest,
    Ping,
    Pong,
    Record,
    RecordRead,
    Refusal,
    Renew,
    Standing,
)
from node.core.proving import statement
from node.core.types import Epoch, IdBlock, Silence

from .machine import Machine, Process
from .signing import REGISTRY, SHOWS, is_signed, signer

if TYPE_CHECKING:
    from .world import World

ASK_MS = 400
WORDS = {Standing.LEADING: nds.Word.LEADING, Standing.YIELD: nds.Word.YIELD}
Store = tuple[dict[int, nds.Record], int]


def shown(record: nds.Record) -> Record:
    """A kept record as nodes see it."""
    epoch, grant = Epoch(*record.epoch), Grant(claim_key=record.claim_key)
    said = granting.statement(record.chat, epoch, record.leader, grant)
    return Record(
        record.chat,
        record.name,
        epoch,
        record.leader,
        record.address,
        record.mode,
        record.claim_key,
        grant._replace(signature=signer(REGISTRY)(said)),
    )


def block(record: nds.Record, ids: nds.IdBlock) -> IdBlock:
    """The ids, issued to who leads."""
    fresh = IdBlock(ids.first, ids.count)
    said = issuing.statement(record.chat, Epoch(*record.epoch), record.leader, fresh)
    return replace(fresh, signature=signer(REGISTRY)(said))


def known(chat: int, facts: Facts) -> nds.Facts:
    """What a node knows, and whether the registry has signed that."""
    said = granting.statement(chat, facts.epoch, facts.leader, facts.grant)
    is_sworn = is_signed(REGISTRY, facts.grant.signature, said)
    return nds.Facts(
        facts.name,
        facts.mode,
        facts.created,
        nds.Epoch(*facts.epoch),
        facts.leader,
        facts.leader_address,
        facts.highest_n,
        is_sworn,
        facts.grant.claim_key if is_sworn else b"",
    )


def proved(request: Claim | Renew | Delete) -> frozenset[bytes]:
    """The keys by which it is signed."""
    said = statement(request, SHOWS)
    return frozenset(one.key for one in request.proofs if is_signed(one.key, one.signature, said))


def speaker(request: Claim | Renew) -> nds.Speaker:
    steps = tuple(
        nds.HandOver(by, owner)
        for by, owner, signature in request.handovers
        if is_signed(by, signature, hand_over_statement(request.chat, owner))
    )
    owner = request.owner
    return nds.Speaker(request.claim_key, owner, proved(request), handovers=steps)


def expelled(claim: Claim) -> nds.Expelled:
    """Whom it shows to be removed."""
    for owner in (claim.owner, *(step.by for step in claim.handovers)):
        author, last = owner, claim.removals[-1:]
        for one in claim.removals:
            said = decided(claim.chat, one)
            if not is_signed(author, one.signature, said):
                break
            if one in last and one.act in REMOVALS:
                return nds.Expelled(one.whom, one.person, {owner})
            if one.act is Act.OP and one.whom == last[0].by:
                author = one.person
    return nds.NOBODY_EXPELLED


class Registry(Process):
    """Number 0 of the world.  One claim for each network at a time; the others queue."""

    __slots__ = ("asking", "backup", "claims", "generation", "kept", "serving", "world")

    def __init__(self, world: "World") -> None:
        super().__init__(0)
        self.world = world
        self.kept: dict[int, nds.Record] = {}
        self.generation = 0
        self.backup: Store | None = None
        self.serving = False
        self.claims: dict[int, deque[tuple[int, nds.Claim]]] = {}
        self.asking: dict[int, tuple[nds.Ask, tuple[int, nds.Claim] | None, int]] = {}
        self.take = self.handle

    @property
    def listens(self) -> bool:
        return self.serving

    # ---- what is done to it ----

    def start(self) -> None:
        """Start the process; it serves as soon as its generation lets it."""
        world = self.world
        wall = world.wall()
        self.generation = nds.start_generation(self.generation, wall)
        self.life += 1
        life = self.life
        world.at(max(nds.serves_at(self.generation) - wall, 0), self._serve, life)

    def _serve(self, life: int) -> None:
        if life == self.life:
            self.serving = True

    def stop(self) -> None:
        """Kill it.  `kept` and `generation` are on disk."""
        self.serving = False
        self.world.network.orphan(self, self.end_life())
        self.claims.clear()
        self.asking.clear()

    def wipe(self) -> None:
        self.kept, self.generation = {}, 0

    def save(self) -> None:
        """Make a backup."""
        self.backup = dict(self.kept), self.generation

    def roll_back(self) -> None:
        """Put the backup back, or an empty store."""
        kept, self.generation = self.backup or ({}, 0)
        self.kept = dict(kept)

    def create(
        self, chat: int, name: str, founder: "Machine", claim_key: bytes
    ) -> tuple[Record, IdBlock]:
        by = nds.Speaker(claim_key, founder.identity)
        request = nds.Create(chat, f"request {chat}", name, founder.address, by=by)
        decision = nds.create(self._read(chat), request, self.world.wall())
        self._keep(chat, decision.record, decision.generation)
        assert isinstance(decision.reply, nds.Granted)
        self._grant(decision.reply)
        record = decision.reply.record
        return shown(record), block(record, decision.reply.ids)

    # ---- requests ----

    def handle(self, event: Event) -> None:
        match event:
            case Received(call, request):
                self.world.handled += 1
                self._receive(call, request)  # type: ignore[arg-type]
            case Answered(call, reply):
                self._heard(call, reply)
            case Failed(call, how):
                self._heard(call, how)
            case _:
                raise AssertionError(event)

    def _receive(self, call: int, request: NdsRequest) -> None:
        match request:
            case Lookup(chat, name):
                self._answer(call, self._look(chat, name))
            case Claim():
                self._queue(call, request)
            case Renew():
                self._renew(call, request)
            case Delete(chat, epoch):
                removal = nds.Removal(chat, nds.Epoch(*epoch), nds.Speaker(proved=proved(request)))
                decision = nds.remove_begin(self._read(chat), removal)
                self._keep(chat, decision.record, decision.generation)
                done = decision.reply
                assert not isinstance(done, nds.Ask), "connections prove nothing here"
                self._answer(call, Deleted() if isinstance(done, nds.Removed) else _refusal(done))

    def _look(self, chat: int, name: str) -> RecordRead | Refusal:
        if name:
            found = [r for r in self.kept.values() if r.name == name and not r.deleted]
            record = found[0] if found else None
        else:
            record = self.kept.get(chat)
        if record is None or record.deleted:
            return Refusal("UNKNOWN_NETWORK")
        return RecordRead(shown(record))

    def _renew(self, call: int, r: Renew) -> None:
        facts, epoch = known(r.chat, r.facts), nds.Epoch(*r.epoch)
        renewal = nds.Renewal(r.chat, r.node, epoch, r.address, r.want_ids, facts, speaker(r))
        decision = nds.renew(self._read(r.chat), renewal, self.world.wall())
        self._keep(r.chat, decision.record, decision.generation)
        match decision.reply:
            case nds.Renewed(record, ids, ask):
                if ids.count:
                    self.world.oracle.block(record.epoch, ids)
                self._answer(
                    call, RecordRead(shown(record), block(record, ids) if ids.count else None)
                )
                if ask is not None:
                    self._question(record.chat, ask)
            case nds.Refused() as refused:
                self._answer(call, _refusal(refused))

    def _queue(self, call: int, c: Claim) -> None:
        claim = nds.Claim(
            c.chat,
            c.node,
            c.address,
            nds.Epoch(*c.expected),
            c.nonce,
            c.votes,
            c.electorate,
            c.only_fate,
            known(c.chat, c.facts),
            speaker(c),
            expelled(c),
        )
        self.world.count["claims only asking their fate" if c.only_fate else "claims"] += 1
        waiting = self.claims.setdefault(c.chat, deque())
        waiting.append((call, claim))
        if len(waiting) == 1:
            self._begin(c.chat)

    def _begin(self, chat: int) -> None:
        call, claim = self.claims[chat][0]
        decision = nds.claim_begin(self._read(chat), claim, self.world.wall())
        self._keep(chat, decision.record, decision.generation)
        if isinstance(decision.reply, nds.Ask):
            self._question(chat, decision.reply, (call, claim))
        else:
            self._end(chat, decision.reply)

    def _end(self, chat: int, reply: nds.Granted | nds.Refused) -> None:
        call, claim = self.claims[chat].popleft()
        match reply:
            case nds.Granted(record, ids, ask):
                if ask is not None:
                    self.world.oracle.compared(Epoch(*claim.expected), Epoch(*record.epoch))
                    self._grant(reply)
                answer = Granted(shown(record), block(record, ids), record.nonce)
                self._answer(call, answer)
                if ask is not None:
                    self._question(chat, ask)
            case nds.Refused():
                self._answer(call, _refusal(reply))
        if self.claims[chat]:
            self._begin(chat)

    # ---- questions to leaders ----

    def _question(
        self, chat: int, ask: nds.Ask, claim: tuple[int, nds.Claim] | None = None
    ) -> None:
        busy = [call for call, asked in self.asking.items() if asked[2] == chat]
        if busy and claim is None:
            return  # One at a time; the next renewal asks again.
        for call in busy:
            del self.asking[call]  # A claim's question goes before one in the background.
        epoch = Epoch(*ask.epoch)
        ping = Ping(Caller(chat, 0, 0, epoch), None, epoch, ask.votes)
        call = next(self.world.calls)
        self.asking[call] = ask, claim, chat
        self.world.network.call_address(self, call, ask.address, ping, ASK_MS)

    def _heard(self, call: int, outcome: object) -> None:
        if call not in self.asking:
            return
        ask, claim, chat = self.asking.pop(call)
        answer = _answer(outcome, chat)
        kept, wall = self._read(chat), self.world.wall()
        if claim is None:
            noted = nds.heard(kept, ask, answer, wall)
            self._keep(chat, noted.record, noted.generation)
        else:
            decision = nds.claim_finish(kept, claim[1], ask, answer, wall)
            self._keep(chat, decision.record, decision.generation)
            self._end(chat, decision.reply)

    # ---- the store ----

    def _read(self, chat: int) -> nds.Kept:
        return nds.Kept(self.kept.get(chat), self.generation)

    def _keep(self, chat: int, record: nds.Record | None, generation: int) -> None:
        if record is not None:
            self.kept[chat] = record
        self.generation = generation

    def _grant(self, granted: nds.Granted) -> None:
        record = granted.record
        self.world.oracle.granted(Epoch(*record.epoch), record.leader, record.address)
        self.world.oracle.block(record.epoch, granted.ids)

    def _answer(self, call: int, reply: object) -> None:
        self.world.network.respond(self, call, reply)


def _answer(outcome: object, chat: int) -> nds.Answer:
    match outcome:
        case Pong(standing, view):
            word = WORDS.get(standing, nds.Word.NOT_LEADING)
            said = granting.statement(chat, view.epoch, view.leader, view.grant)
            is_sworn = is_signed(REGISTRY, view.grant.signature, said)
            return nds.Answer(word, nds.Epoch(*view.epoch), view.leader, is_sworn)
        case Silence.REFUSED:
            return nds.Answer(nds.Word.REFUSED)
        case Refusal(reason="UNKNOWN_CHAT"):
            return nds.Answer(nds.Word.NOT_LEADING)
        case _:
            return nds.Answer(nds.Word.SILENT)


def _refusal(refused: nds.Refused) -> Refusal:
    record = None if refused.record is None else shown(refused.record)
    return Refusal(str(refused.reason), record=record)
