"""Events and effects as short lines that a person can read."""

from collections.abc import Iterable
from typing import Any

from node.core import effects as e
from node.core import events as v
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.types import Epoch, Key, small


def ids(members: Iterable[int]) -> str:
    return ",".join(str(small(member)) for member in members) or "-"


def epoch(value: Epoch) -> str:
    return f"e{value.n}"


def key(value: Key) -> str:
    return f"{small(value.source)}/{value.stream.random % 1000:03d}.{value.seq}"


def view(value: m.View | None) -> str:
    if value is None:
        return ""
    provisional = f" prov {small(value.provisional)}" if value.provisional else ""
    hashes = f"r{value.roster_hash % 10_000:04d} h{value.history_hash % 10_000:04d}"
    return f"{epoch(value.epoch)} led by {small(value.leader)}{provisional} {hashes}"


def line(message: ChatMessage) -> str:
    after = f" after {' '.join(map(key, message.deps))}" if message.deps else ""
    return f"{key(message.key)} {' '.join(map(repr, message.texts))}{after}"


def life(member: m.Member) -> str:
    gone = "left" if member.left else "kicked" if member.kicked else member.life.name.lower()
    return f"{small(member.id)} {gone}"


def roster(value: m.Roster) -> str:
    return ", ".join(map(life, value.members))


def request(value: Any) -> str:  # noqa: PLR0911  one return a kind
    """A request as `Name details`."""
    match value:
        case m.Join(name=name, nick=nick):
            return f"Join {name or 'by id'} as {nick}"
        case m.Leave(record=record):
            return f"Leave {small(record.id)}"
        case m.Update(roster=r):
            return f"Update {roster(r)}"
        case m.Ping(view=v_, asks_leading=None, on_behalf=0):
            return f"Ping {view(v_)}"
        case m.Ping(asks_leading=None, on_behalf=other):
            return f"Ping on behalf, {small(other)}"
        case m.Ping(asks_leading=asked, votes=votes):
            return f"Ping asks leading {epoch(asked)} votes {ids(votes)}"  # type: ignore[arg-type]
        case m.Elect(view=v_):
            return f"ELECTION {view(v_)}"
        case m.Coordinator(view=v_, provisional=provisional):
            return f"COORDINATOR {'provisional ' if provisional else ''}{view(v_)}"
        case m.Tell(to=to, messages=messages):
            return f"Message for {small(to)}: {'; '.join(map(line, messages))}"
        case m.Sync(wanted=wanted) if wanted:
            return f"Sync: who has {' '.join(map(key, wanted))}?"
        case m.Sync(sources=()):
            return "Sync"
        case m.Sync(sources=sources, held=held):
            return f"Sync of {ids(sources)}, {len(held)} runs held"
        case m.Lookup(name=name):
            return f"Lookup {name}".strip()
        case m.Claim(node=node, expected=expected, votes=votes, only_fate=fate):
            asked = " only its fate" if fate else ""
            return f"Claim by {small(node)} after {epoch(expected)} votes {ids(votes)}{asked}"
        case m.Renew(node=node, epoch=e_):
            return f"Renew {epoch(e_)} by {small(node)}"
        case _:
            return type(value).__name__


def reply(value: Any) -> str:  # noqa: PLR0911  one return a kind
    match value:
        case m.Refusal(reason=reason, record=record):
            return f"refused {reason}{f' {kept(record)}' if record else ''}"
        case m.Welcome(member=member, roster=r):
            return f"Welcome {small(member)}: {roster(r)}"
        case m.Pong(standing=standing, view=v_, reached=reached):
            return f"{standing.name}{' reached' if reached else ''} {view(v_)}"
        case m.Elected(ok=ok, vote=vote, reaches_nds=reaches):
            return f"{'OK ' if ok else ''}vote {vote.name}{'' if reaches else ', no registry'}"
        case m.Followed(stale=stale, view=v_):
            return f"{'STALE' if stale else 'followed'} {view(v_)}"
        case m.Updated(roster=r, wanted=wanted):
            return f"Updated {roster(r)}{f' wants {ids(wanted)}' if wanted else ''}"
        case m.Told(receipt=receipt, node=node):
            return f"{receipt.name} at {small(node)}"
        case m.Synced(found=found) if found:
            return f"Synced: has {' '.join(map(key, found))}"
        case m.Synced(sources=sources, messages=messages, more=more, behind=behind):
            flags = f"{' more' if more else ''}{' behind' if behind else ''}"
            return f"Synced {len(messages)} messages, differing {ids(sources)}{flags}"
        case m.RecordRead(record=record, ids=block):
            return f"RecordRead {kept(record)}{f' ids {small(block.first)}+' if block else ''}"
        case m.Granted(record=record, ids=block):
            return f"Granted {kept(record)} ids {small(block.first)}+{block.count}"
        case _:
            return type(value).__name__


def kept(record: m.Record) -> str:
    return f"{epoch(record.epoch)} led by {small(record.leader)}"


def event(value: v.Event) -> str:  # noqa: PLR0911  one return a kind
    match value:
        case v.Received(call, asked):
            stranger = "a stranger" if isinstance(asked, m.Join) else "registry"
            return f"<- [{call}] from {small(asked.caller.node) or stranger}: {request(asked)}"
        case v.Answered(call, answer):
            return f"<- [{call}] {reply(answer)}"
        case v.Failed(call, how):
            return f"<- [{call}] {how.name.lower()}"
        case v.Submitted(text=text):
            return f"user says {text!r}"
        case v.Burst(lines):
            return f"user says {', '.join(repr(line.text) for line in lines)}"
        case v.Changed(field=field, value=new):
            return f"user sets {field.name.lower()} {new!r}"
        case v.AnsweredLate(address, ms):
            return f"answered late by {ms} ms, {address}"
        case v.Decided(act, _, whom, person):
            about = small(whom) if whom else f"the person {person.hex()[:4]}"
            return f"user decides {act.name} {about}"
        case v.LinkBroken(address):
            return f"link to {address} broke"
        case v.Founded():
            return "founded"
        case v.Joining(address):
            return f"user joins through {address or 'the registry'}"
        case _:
            return type(value).__name__.lower()


def notice(value: Any) -> str:  # noqa: PLR0911, PLR0912  one return a kind
    match value:
        case e.Deliver(message, way, late):
            return f"shows {line(message)} ({way.value}{', late' if late else ''})"
        case e.Acknowledged(own, by, way, acked, of):
            return f"acked {key(own)} by {small(by)} ({way.value}) {acked}/{of}"
        case e.Settled(own, missing):
            return f"settled {key(own)}{f' without {ids(missing)}' if missing else ''}"
        case e.Joined(member):
            return f"JOINED as {small(member)}"
        case e.JoinFailed(reason, text):
            return f"JOIN FAILED {reason} {text}".rstrip()
        case e.Departed(told, untold, deleted):
            return f"DEPARTED told {told}, not told {untold}{', deleted' if deleted else ''}"
        case e.Reinstated():
            return "REINSTATED"
        case e.Stopped(reason):
            return f"STOPPED {reason}".rstrip()
        case e.MemberChanged(member, change, detail, by):
            who = f" by {small(by)}" if by else ""
            return f"member {small(member)} {change.value} {detail}".rstrip() + who
        case e.LeaderChanged(leader, at, provisional):
            who = f"{small(leader)} leads" if leader else "nobody leads"
            return f"{who} {epoch(at)}{' provisionally' if provisional else ''}"
        case e.ElectionMoved(by, phase, detail, whom):
            step = f"{phase.value} {small(whom)}" if whom else phase.value
            return f"election by {small(by)}: {step} {detail}".rstrip()
        case e.NdsChanged(up):
            return f"registry {'answers' if up else 'is silent'}"
        case e.Merged(n, source):
            return f"merged {n} from {small(source)}"
        case e.SplitHealed(n, leader, at):
            return f"split healed, {n} messages, {small(leader)} leads {epoch(at)}"
        case e.HolesDeclared(source, n):
            return f"LOST: {n} messages of {small(source)}"
        case e.Jumped(source, n):
            return f"JUMPED: {n} messages of {small(source)}"
        case e.HolesFilled(source, n):
            return f"FOUND: {n} messages of {small(source)}"
        case e.Dropped(reason):
            return f"threw away: {reason}"
        case _:
            return type(value).__name__


def effect(value: e.Effect) -> str:  # noqa: PLR0911  one return a kind
    match value:
        case e.Call(call=call, to=to, address=address, request=asked):
            return f"-> [{call}] to {small(to) or address}: {request(asked)}"
        case e.Ask(call=call, request=asked):
            return f"-> [{call}] to registry: {request(asked)}"
        case e.Respond(call, answer):
            return f"-> [{call}] {reply(answer)}"
        case e.Serve(call, _, keys):
            return f"-> [{call}] {len(keys)} messages"
        case e.StoreMessages(messages):
            return f"stores {' '.join(key(message.key) for message in messages)}"
        case e.Erase(texts):
            return f"erases {' '.join(f'{key(spot.key)}/{spot.at}' for spot, _ in texts)}"
        case e.StorePost(post):
            acked = f"acked {ids(post.acked)} of {ids(post.counted)}"
            return f"stores post {key(post.key)} {acked}{' settled' if post.settled else ''}"
        case e.StoreMeta(meta):
            return f"stores meta {epoch(meta.epoch)} led by {small(meta.leader)}"
        case e.StoreRoster(value):
            return f"stores roster {roster(value)}"
        case e.StoreMarks(floors, holes):
            marks = [f"floor {key(Key(*floor[:3]))} {floor.sum % 2**16:04x}" for floor in floors]
            return f"stores {', '.join([*marks, *(f'hole {key(hole)}' for hole in holes)])}"
        case e.Trim(last):
            return f"trims up to {' '.join(map(key, last))}"
        case _:
            return notice(value)
