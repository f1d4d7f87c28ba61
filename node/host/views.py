"""What faces are shown when they ask: a chat and its members, leader, history and messages."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from .. import words
from ..archive import Unread
from ..core.conversation import Line, lines_of
from ..core.deciding import ADMINS
from ..core.group import Group
from ..core.messages import Life, Member
from ..core.readable import absence
from ..core.types import Hlc, LinePlace, MemberId, Stream
from ..errors import AmbiguousMessage, BadField, DiskFailed, NoSuchMessage
from ..limits import NUMBER_MAX
from ..peer import LinkFigures
from ..people import Person, meant
from ..runner import now_ms
from ..trust.cards import fingerprint
from ..words import Epoch, Mode
from .changing import own_lines
from .chats import Chat, wall_ms
from .elections import Led
from .rights import role
from .telling import Naming, leader_of, line

STATES = {Life.ALIVE: "alive", Life.SUSPECT: "suspect", Life.DROPPED: "dropped"}
PAGE_BYTES = 3 * 2**20  # of texts in a page of history ...
LINE_BYTES = 512  # ... and what each line counts beside its text
ACKED_OF = 500  # own lines that `members` counts acknowledgements of


def state_of(member: Member) -> str:
    """alive, suspect, dropped, left or kicked."""
    if member.kicked:
        return "kicked"
    return "left" if member.left else STATES[member.life]


def state_here(group: Group, member: Member) -> str:
    """The same as this node sees it: who is told to be alive and is silent here is suspect."""
    state = state_of(member)
    return "suspect" if state == "alive" and group.silent(member.id) else state


def identity_of(key: bytes) -> str:
    """The first 16 hex digits of an identity key's SHA-256."""
    return hashlib.sha256(key).hexdigest()[:16]


def seen_ms(group: Group, member: MemberId) -> int:
    """Unix time at which a member was last heard; 0 for never."""
    heard = group.heard_at(member)
    return wall_ms() - (now_ms() - heard) if heard is not None else 0


def chat(one: Chat) -> words.Chat:
    """A chat as `status` shows it."""
    group = one.group
    unread = _unread(one)
    halt, reason = one.halt
    leader = 0 if halt else leader_of(group)
    return words.Chat(
        name=one.name,
        chat_id=group.chat,
        member_id=group.me,
        epoch=one.epoch,
        leader_id=leader,
        leader_nick=group.nick(leader),
        provisional=bool(group.provisional) and not halt,
        alive=0 if halt else _alive(group),
        known=len(group.belonging),
        unread=unread.count,
        mentions=unread.mentions,
        outbox=one.outbox,
        fingerprint=group.fingerprint,
        nds=group.nds,
        topic=group.about.value,
        topic_by=group.nick(group.about.source),
        mode=Mode(group.mode),
        lost=sum(one.lost.values()),
        halt=halt,
        halt_reason=reason,
        nick=one.nick,
    )


def _unread(one: Chat) -> Unread:
    """Nothing is counted where the log cannot be read: `status` is to say that, and more."""
    try:
        found = one.archive.unread(one.group.me, Naming(one.nick))
    except DiskFailed as error:
        one.unreadable = str(error)
        return Unread(0, 0)
    one.unreadable = ""
    return found


def _alive(group: Group) -> int:
    return sum(state_here(group, member) == "alive" for member in group.roster.members)


def leader(one: Chat) -> words.Leader:
    """Who leads."""
    group = one.group
    halt, reason = one.halt
    who = 0 if halt else leader_of(group)
    record = group.member(who) if who else None
    return words.Leader(
        chat=one.name,
        leader_id=who,
        nick=group.nick(who),
        epoch=one.epoch,
        provisional=bool(group.provisional) and not halt,
        address=record.address if record else "",
        seen_ms=wall_ms() if who == group.me else seen_ms(group, who),
        halt=halt,
        halt_reason=reason,
    )


def members(one: Chat, everyone: bool) -> words.Members:
    """The members in order of id; `everyone`: also those that left."""
    group, (halt, reason) = one.group, one.halt
    acked, lacking = _acknowledgements(one)
    belonging = {*group.belonging}
    rows = [
        words.Member(
            member_id=member.id,
            nick=group.shown_nick(member.id),
            state=_state_now(group, member, halt),
            address=member.address,
            leader=not halt and member.id == leader_of(group),
            self=member.id == group.me,
            acked=acked.get(member.id, 0),
            lacking=lacking.get(member.id, 0),
            seen_ms=seen_ms(group, member.id),
            away=member.away.value,
            identity=identity_of(member.identity),
            certificate=fingerprint(member.card),
            role=role(one, member.id),
            removed_by=_removed_by(group, member),
        )
        for member in group.roster.members
        if everyone or member.id in belonging
    ]
    order = group.order
    return words.Members(
        chat=one.name,
        members=tuple(rows),
        mode=Mode(group.mode),
        halt=halt,
        halt_reason=reason,
        admins_invite=order.invites == ADMINS,
        admins_topic=order.topic == ADMINS,
    )


def _removed_by(group: Group, member: Member) -> str:
    """By whom, while that one is to stay out."""
    by = group.removed_by(member.id)
    return group.nick(by) if member.identity in group.order.barred else ""


def _state_now(group: Group, member: Member, halt: str) -> str:
    """A chat that has stopped here knows who has left, and nothing else of the others."""
    if halt and member.belongs:
        return halt if member.id == group.me else "unknown"
    return state_here(group, member)


def _acknowledgements(one: Chat) -> tuple[dict[MemberId, int], dict[MemberId, int]]:
    """Own lines of the last ones that each member has, and that it lacks."""
    acked: dict[MemberId, int] = {}
    lacking: dict[MemberId, int] = {}
    recent = one.archive.page(count=ACKED_OF)
    keys = (said.message.key for said in recent)
    own = Counter(key for key in keys if key.source == one.group.me)
    for key, post in one.archive.posts(own).items():
        for book, those in ((acked, post.acked), (lacking, post.lacking)):
            for member in those:
                book[member] = book.get(member, 0) + own[key]
    return acked, lacking


def find_member(one: Chat, wanted: str) -> Member:
    """Who of those that belong is meant.

    Raises NoSuchMember or AmbiguousMember.
    """
    return named(one, [member for member in one.group.roster.members if member.belongs], wanted)[0]


def named(one: Chat, members: Iterable[Member], wanted: str) -> tuple[Member, str]:
    """Who of these is meant (`people.meant`), and how it is called.

    Raises NoSuchMember or AmbiguousMember.
    """
    group, known = one.group, {member.id: member for member in members}
    those = [
        Person(id, group.shown_nick(id), identity_of(member.identity))
        for id, member in known.items()
    ]
    person = meant(those, wanted, one.name)
    return known[person.id], person.nick


# ---- history -----------------------------------------------------------------------------------


def _within(lines: Sequence[Line]) -> list[Line]:
    """The first of them, at least one, that fit into a page."""
    size = 0
    for n, said in enumerate(lines):
        size += LINE_BYTES + len(said.text.encode())
        if n and size > PAGE_BYTES:
            return list(lines[:n])
    return list(lines)


def page(
    one: Chat,
    *,
    count: int,
    since_ms: int = 0,
    before: str = "",
    after: str = "",
    contains: str = "",
) -> words.Page:
    """A page of history, oldest first: the last lines before a place, or the first after one; fewer
    where they are so long that a client with gRPC's usual limit could not receive them.

    What waits for a line that is missing is in nobody's history yet.

    Raises:
        BadField: `before` or `after` is no cursor of ours, or both are given.
    """
    if before and after:
        raise BadField(field="after", text="cannot be given together with before")
    waiting = one.group.waiting
    stored = one.archive.page(
        count=count + 1 + one.group.waiting_lines,
        before=place(before, "before") if before else None,
        after=place(after, "after") if after else None,
        since_ms=since_ms,
        contains=contains,
        from_ms=one.group.since,
    )
    found = [said for said in stored if said.message.key not in waiting]
    shown = _within(found[:count] if after else found[: -count - 1 : -1])
    more = len(found) > len(shown)
    if not after:
        shown.reverse()
    keys = dict.fromkeys(said.message.key for said in shown)
    posts = one.archive.posts([key for key in keys if key.source == one.group.me])
    lines = []
    for said in shown:
        post = posts.get(said.message.key)
        acked, of = (post.reached, len(post.counted)) if post else (0, 0)
        lines.append(line(one.group, said, backlog=True, acked=acked, of=of))
    if not more:
        return words.Page(tuple(lines))
    if after:
        return words.Page(tuple(lines), after_cursor=lines[-1].place)
    return words.Page(tuple(lines), cursor=lines[0].place)


def place(cursor: str, field: str) -> LinePlace:
    """The place that a cursor names.

    Raises:
        BadField: it is none of ours; `field` is where it was given.
    """
    parts = cursor.split(".")
    decimal = len(parts) == 7 and all(part.isdecimal() and len(part) < 20 for part in parts)
    numbers = [int(part) for part in parts] if decimal else []
    if not numbers or max(numbers) > NUMBER_MAX:
        raise BadField(field=field, text="must be the cursor of an earlier page")
    ms, counter, source, incarnation, random, seq, at = numbers
    return Hlc(ms, counter), source, Stream(incarnation, random), seq, at


def trace(one: Chat, id: str) -> words.Tracing:
    """Where a message is; with no id, the last own one.

    Raises:
        NoSuchMessage: there is none.
        AmbiguousMessage: several begin so.
    """
    group, archive = one.group, one.archive
    if id:
        found = [said for said in archive.find(id) if said.message.hlc.ms >= group.since]
        if len({said.id for said in found}) > 1:
            raise AmbiguousMessage(id=id)
    else:
        last = archive.read([group.last_own] if group.last_own is not None else [])
        found = [lines_of(message)[-1] for message in last if message.is_said]
        if last and not found:  # A change of a line is none itself.
            found = own_lines(archive, group.me)[-1:]
    if not found:
        raise NoSuchMessage(id=id or "of your own", chat=one.name)
    message = found[0].message
    live = group.trace(message.key)
    post = archive.posts([message.key]).get(message.key)
    rows: list[words.TraceRow] = []
    if live:
        rows = [
            words.TraceRow(
                member_id=row.member,
                nick=group.nick(row.member),
                state=row.state,
                took_ms=row.took_ms,
                way=row.way.value if row.way else "",
                last_status=row.status,
                next_try_ms=max(1, row.next_at - now_ms()) if row.next_at else 0,
                tries=row.tries,
            )
            for row in live.rows
        ]
    elif post:
        those = sorted((*post.counted, *post.away))
        rows = [_old_row(group, member, member in post.acked) for member in those]
    acked, of = (live.acked, live.of) if live else (0, 0)
    if post and not live:
        acked, of = post.reached, len(post.counted)
    stored_ms = archive.stored_at(message.key)
    led = _led(one, Epoch(*message.epoch), stored_ms)
    return words.Tracing(
        line=line(group, found[0], backlog=False, acked=acked, of=of),
        leader_nick=led.nick if led else "",
        provisional=led is not None and led.provisional,
        rows=tuple(rows),
        follows=tuple(m.ids[-1][:4] for m in archive.read(message.deps)),
        stored_ms=stored_ms,
    )


def _old_row(group: Group, member: MemberId, acked: bool) -> words.TraceRow:
    state = "acked" if acked else absence(group.life(member))
    return words.TraceRow(member_id=member, nick=group.nick(member), state=state)


def _led(one: Chat, epoch: Epoch, at_ms: int) -> Led | None:
    """Who led when a line was stored here; of an epoch whose begin nobody noted, who leads it."""
    group = one.group
    seen = one.elections.led_at(epoch, at_ms)
    if seen or tuple(group.epoch) != (epoch.generation, epoch.n):
        return seen
    return Led(at_ms, epoch, group.nick(group.following), bool(group.provisional))


def queue(one: Chat) -> list[words.QueueRow]:
    """Own lines that somebody alive or suspect lacks, oldest first."""
    rows = []
    for entry in one.group.queue():
        waiting = [row for row in entry.rows if row.state == "waiting"]
        soonest = min((row.next_at for row in waiting if row.next_at), default=None)
        rows += [
            words.QueueRow(
                chat=one.name,
                line=line(one.group, said, backlog=False),
                missing=tuple(one.group.nick(row.member) for row in waiting),
                next_try_ms=max(1, soonest - now_ms()) if soonest else 0,
            )
            for said in lines_of(entry.message)
        ]
    return rows


def peers(one: Chat, figures: Callable[[str, bytes], LinkFigures]) -> list[words.Peer]:
    """The links to the other members."""
    group, rows = one.group, []
    for member in group.roster.members:
        if not member.belongs or member.id == group.me:
            continue
        link = figures(member.address, member.card.certificate)
        rows.append(
            words.Peer(
                chat=one.name,
                member_id=member.id,
                nick=one.group.shown_nick(member.id),
                address=member.address,
                link=link.link,
                rtt_us=link.rtt_us,
                calls=link.calls,
                failures=link.failures,
                last_error=link.last_error,
                state=state_here(group, member),
                in_flight=link.in_flight,
                watch=watch(one.group, member),
                held_ms=link.held_ms,
            )
        )
    return rows


def watch(group: Group, member: Member) -> str:
    """Who looks whether another member is alive.

    Members ping whom they follow, and feel its connection break; who leads looks after all members,
    and goes on to call those that are gone.
    """
    watcher = leader_of(group)
    gone = member.life is Life.DROPPED
    if watcher == group.me:
        return "you look whether it is back" if gone else "you watch it, it watches you"
    if watcher == member.id:
        return "you watch it, it watches you"
    if group.provisional and member.id == group.leader:
        return "you look whether it leads again"
    if not watcher:
        return "nobody watches it"
    return f"{group.nick(watcher)} {'looks whether it is back' if gone else 'watches it'}"
