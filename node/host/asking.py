"""What a node finds out by asking the other members: pings, histories, elections, names."""

import asyncio
import math
import time
from collections import Counter

from .. import words
from ..core.effects import ElectionMoved, LeaderChanged, Phase
from ..core.events import Challenged, Changed, Event, Field
from ..core.messages import Caller, Life, Member, Ping, Pong, Standing
from ..core.types import small
from ..errors import BadField, NotAdmitted
from ..limits import AWAY_MAX, TOPIC_MAX, line_fault, nick_fault
from ..runner import Silenced
from ..words import Epoch
from . import views
from .chats import Chat, wall_ms
from .nodes import Node
from .rights import check_topic

SAID = {
    Standing.LEADING: "leading",
    Standing.NOT_LEADING: "not leading",
    Standing.YIELD: "leading, giving way",
    Standing.PROVISIONAL: "provisional",
}
SETTLE_S = 2.0  # lines under way are waited for before histories are said to differ ...
AGAIN_S = 0.1  # ... which are compared again so often
TURNS = 3  # of the loop, in which a change that was handed in is made
PATIENCE = 4  # times the protocol's own deadline: people want to see slow answers too


async def ping(node: Node, chat: Chat, member: str, wait_s: float = math.inf) -> words.Pings:
    """Calls one member, or every other one, and measures the round trip; within `wait_s`.

    Raises:
        NoSuchMember, AmbiguousMember: nobody is called so, or several are.
    """
    group = chat.group
    if member:
        wanted = [views.find_member(chat, member)]
    else:
        others = (group.member(id) for id in group.active if id != group.me)
        wanted = [one for one in others if one is not None]
    rows = await asyncio.gather(*(_ping(node, chat, one, wait_s) for one in wanted))
    return words.Pings(chat.name, tuple(row for row, _ in rows))


async def _ping(
    node: Node, chat: Chat, member: Member, wait_s: float = math.inf
) -> tuple[words.PingRow, Pong | None]:
    group = chat.group
    caller = Caller(group.chat, group.me, group.incarnation, group.epoch, member.id)
    began = time.perf_counter_ns()
    outcome = await node.links.call(
        member.address,
        member.card.certificate,
        Ping(caller, None),
        round(min(node.timing.ping_ms * PATIENCE, wait_s * 1000)),
    )
    took_us = (time.perf_counter_ns() - began) // 1_000
    nick = group.shown_nick(member.id)
    if isinstance(outcome, Pong):
        epoch = Epoch(outcome.view.epoch.generation, outcome.view.epoch.n)
        said = SAID[outcome.standing]
        return words.PingRow(member.id, nick, True, took_us, said, epoch), outcome
    said = outcome.status if isinstance(outcome, Silenced) else getattr(outcome, "text", "")
    return words.PingRow(member.id, nick, False, 0, said or "no answer"), None


def _caller(chat: Chat, callee: Member) -> Caller:
    """Ourselves; the callee is named, since another node may have its address by now."""
    group = chat.group
    return Caller(group.chat, group.me, group.incarnation, group.epoch, callee.id)


async def call_back(node: Node, chat: Chat, member: Member) -> bool | None:
    """Whether a member reaches us; None if it does not answer."""
    group = chat.group
    caller = Caller(group.chat, group.me, group.incarnation, group.epoch, member.id)
    request = Ping(caller, None, on_behalf=group.me)
    deadline_ms = node.timing.ping_ms * PATIENCE
    certificate = member.card.certificate
    outcome = await node.links.call(member.address, certificate, request, deadline_ms)
    return outcome.reached if isinstance(outcome, Pong) else None


async def check(node: Node, chat: Chat, wait_s: float = math.inf) -> words.Comparison:
    """Compares the history with every member's; what is under way is waited for.

    Of `wait_s` one half at most is for that, and the other for the answers to the last question.
    """
    until = time.monotonic() + min(SETTLE_S, wait_s / 2)
    while True:
        found = await _compare(node, chat, wait_s / 2)
        if found.same or found.halt or time.monotonic() + AGAIN_S > until:
            return found
        await asyncio.sleep(AGAIN_S)


async def _compare(node: Node, chat: Chat, wait_s: float) -> words.Comparison:
    group = chat.group
    others = [one for one in group.roster.members if one.belongs and one.id != group.me]
    answers = await asyncio.gather(*(_ping(node, chat, one, wait_s) for one in others))
    halt, reason = chat.halt
    mine = _of_most([pong for _, pong in answers]) if halt else group.history_hash
    rows = [words.Compared(group.me, group.nick(group.me), group.fingerprint, not halt, True)]
    same = not halt
    for member, (_, pong) in zip(others, answers, strict=True):
        fingerprint = f"{pong.view.history_hash:016x}"[:4] if pong else ""
        equal = pong is not None and pong.view.history_hash == mine
        rows.append(words.Compared(member.id, group.shown_nick(member.id), fingerprint, equal))
        if member.life is not Life.DROPPED or pong is not None:
            same = same and equal
    rows.sort(key=lambda row: row.member_id)
    lost = tuple(words.Lost(who, group.nick(who), n) for who, n in sorted(chat.lost.items()))
    return words.Comparison(chat.name, same, tuple(rows), lost, halt, reason)


def _of_most(answers: list[Pong | None]) -> int:
    """The history that most others have, with which they are compared where we are stalled."""
    hashes = Counter(pong.view.history_hash for pong in answers if pong is not None)
    return max(hashes, key=lambda one: (hashes[one], one), default=0)


async def challenge(node: Node, chat: Chat) -> words.Outcome:
    """Stands as after a missed ping, and tells how that ended."""
    chat.check_writable()
    group, timing = chat.group, node.timing
    before, epoch = group.following, group.epoch
    if group.leads:
        return words.Outcome("you lead already; nobody is to be challenged", views.leader(chat))
    longest_ms = timing.ping_ms * (timing.ping_tries + 1) + timing.elect_ms + timing.wait_ms
    longest_ms += timing.claim_ms + timing.lookup_ms
    quiet_s = (timing.ping_ms * timing.ping_tries + timing.lookup_ms) / 1000
    moved = await chat.until(Challenged(), ends=(ElectionMoved, LeaderChanged), wait_s=quiet_s)
    if moved is not None and not isinstance(moved, LeaderChanged):
        await _election_over(chat, longest_ms / 1000)
    leader = views.leader(chat)
    name = f"{leader.nick} (id {small(leader.leader_id)})" if leader.leader_id else "nobody"
    if group.following == before and group.epoch == epoch:
        return words.Outcome(f"{name} answers and stays leader (epoch {epoch.n})", leader)
    if leader.provisional:
        said = f"{name} leads for now, after epoch {leader.epoch.n}: the NDS has not confirmed it"
        return words.Outcome(said, leader)
    return words.Outcome(f"{name} leads now (epoch {leader.epoch.n})", leader)


async def _election_over(chat: Chat, wait_s: float) -> None:
    with chat.listening() as notices:
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    notice = await notices.get()
                    if isinstance(notice, LeaderChanged):
                        return
                    if isinstance(notice, ElectionMoved) and notice.phase is Phase.ENDED:
                        return
        except TimeoutError:
            return


# ---- facts -------------------------------------------------------------------------------------


async def set_nick(node: Node, chats: list[Chat], nick: str, everywhere: bool) -> words.NickSet:
    """Changes the own name; gives it as it is shown in the first of `chats`.

    Raises:
        BadField: it cannot be a name.
    """
    if fault := nick_fault(nick):
        raise BadField(field="nick", text=fault)
    if everywhere:
        if not chats or not all(chat.is_transient for chat in chats):
            node.keep(nick=nick)
        node.nick = nick
    for chat in _where(chats):
        await _change(chat, Field.NICK, nick)
    return words.NickSet(chats[0].nick if chats else nick)


async def set_away(chats: list[Chat], away: str) -> None:
    """Says in `chats` that one is away; empty: back.

    Raises:
        BadField: it is too long, or not one line.
    """
    if fault := line_fault(away, AWAY_MAX):
        raise BadField(field="away", text=fault)
    for chat in _where(chats):
        await _change(chat, Field.AWAY, away)


def _where(chats: list[Chat]) -> list[Chat]:
    """Of several those where one is a member still."""
    return chats if len(chats) == 1 else [chat for chat in chats if not chat.removed]


async def set_topic(chat: Chat, topic: str) -> None:
    """Says what the chat is about.

    Raises:
        BadField: it is too long, or not one line.
        NotAllowed: admins alone say that there.
    """
    if fault := line_fault(topic, TOPIC_MAX):
        raise BadField(field="topic", text=fault)
    check_topic(chat)
    await _change(chat, Field.TOPIC, topic)


async def _change(chat: Chat, field: Field, value: str) -> None:
    """Hands the change in, and waits for the turn that makes it.

    Raises:
        Complaint: it cannot be stored.
    """
    if _fact(chat, field) != value:
        await settled(chat, Changed(field, value, wall_ms()))
    chat.check_writable()


async def settled(chat: Chat, event: Event) -> None:
    """Hands in what the user wants changed, and waits for the turn that does it.

    Raises:
        Complaint: it cannot be stored.
    """
    chat.check_writable()
    chat.runner.post(event)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    chat.check_writable()


def _fact(chat: Chat, field: Field) -> str:
    group = chat.group
    mine = group.member(group.me)
    if mine is None:
        raise NotAdmitted(chat=chat.name, text="you are no member of it")
    facts = {Field.NICK: mine.nick, Field.AWAY: mine.away, Field.TOPIC: group.about}
    return facts[field].value
