"""The answers of verbs and slash commands: of each reply its lines, rows and exit code."""

from collections.abc import Sequence

from msgspec import Struct

from ... import errors, faults, words
from ...core.types import small
from . import records
from .comparing import compared, sameness
from .notices import delivered, delivery, led_by, message_lines, missing
from .shell import grpcurl
from .text import (
    called_there,
    chat_number,
    clean_line,
    clean_name,
    clock,
    counted,
    duration,
    iso,
    round_trip,
    seconds,
    several,
    shown_nick,
    spelled,
    table,
    who,
)


class Answer(Struct, frozen=True):
    """What one verb or slash command has to say."""

    lines: tuple[str, ...] = ()  # for people, on stdout
    rows: tuple[records.Row, ...] = ()  # for --json, on stdout
    notes: tuple[str, ...] = ()  # talk, on stderr
    exit: int = errors.DONE


def said(*lines: str, **row: object) -> Answer:
    """Lines, and one row where there are facts for it."""
    return Answer(lines, (row,) if row else ())


def status(value: words.Status, now_ms: int) -> Answer:
    """The node and its chats."""
    lines = [
        f"{clean_name(value.nick)}, node {value.pid}, up {duration(now_ms - value.started_ms)},"
        f" p2pchat {clean_line(value.version)}",
        f"listens on {value.listen}, known as {value.advertise}",
        *(f"NDS {one.address}: {one.state}" for one in value.nds),
        f"control {value.control}",
        f"log {value.log}",
        f"durability {value.durability}",
    ]
    rows = [
        (
            spelled(chat, value.chats),
            f"id {small(chat.member_id)}{called_there(chat, value.nick)}"
            if chat.member_id
            else "joining",
            f"{'?' if chat.halt else chat.alive}/{chat.known}",
            faults.halted(chat.halt, chat.halt_reason) or f"L:{_leader_of(chat)}",
            f"e{chat.epoch.n}{'+' if chat.provisional else ''}",
            f"out:{chat.outbox}",
            f"unread:{chat.unread}",
            chat.fingerprint,
            f"{counted(chat.lost, 'message')} missing" if chat.lost else "",
            *kept,
        )
        for chat, kept in zip(value.chats, _column([one.mode for one in value.chats]), strict=True)
    ]
    notes = tuple(clean_line(one) for one in (*value.problems, value.ended) if one)
    return Answer((*lines, *table(rows)), (records.status(value),), notes)


def _column(modes: Sequence[int]) -> list[tuple[str, ...]]:
    """A column that marks transient chats, where there is one."""
    marks = ["transient" if mode == words.Mode.TRANSIENT else "" for mode in modes]
    return [(mark,) if any(marks) else () for mark in marks]


def _noted(mode: int) -> tuple[str, ...]:
    """What to know of a transient chat."""
    transient = mode == words.Mode.TRANSIENT
    return ("it is transient: no member keeps anything of it on disk",) if transient else ()


def _leader_of(chat: words.Chat) -> str:
    if not chat.leader_id:
        return "?"
    name = "you" if chat.leader_id == chat.member_id else shown_nick(chat.leader_nick)
    return f"{name}?" if chat.provisional else name


def created(value: words.Created) -> Answer:
    """The new chat, and the line that others run."""
    chat = value.chat
    return Answer(
        (
            f"#{clean_name(chat.name)} is there; you lead it (id {small(chat.member_id)})",
            f"others run:  p2pchat join {value.join_line}",
        ),
        (_entered(chat) | {"join": value.join_line},),
        _noted(chat.mode),
    )


def hosted(chat: words.Chat, line: str, why: str = "") -> Answer:
    """The line to a chat that was there already; without one, why there is none."""
    told = (f"others run:  p2pchat join {line}",) if line else ()
    return Answer(told, (_entered(chat) | {"join": line or None},), (why,) if why else ())


def joined(value: words.Admitted) -> Answer:
    """The chat joined, with the nick that one has there."""
    chat, nick = value.chat, clean_name(value.nick)
    how = "you were in" if value.already else "you are in"
    others = chat.known - 1
    company = f"with {counted(others, 'other')}" if others else "alone"
    return Answer(
        (f"{how} #{clean_name(chat.name)} as {nick} (id {small(chat.member_id)}), {company}",),
        (_entered(chat) | {"nick": value.nick, "already": value.already},),
        _noted(chat.mode),
    )


def _entered(chat: words.Chat) -> records.Row:
    return {
        "chat": chat.name,
        "chat_id": chat_number(chat.chat_id),
        "id": small(chat.member_id),
        "member": chat.member_id,
        "epoch": chat.epoch.n,
        "generation": chat.epoch.generation,
    }


def left(value: words.Departure, chat: str) -> Answer:
    """How a membership ended."""
    name = f"#{clean_name(chat)}"
    if value.deleted:
        how = f"you left {name}; you were the last, so it is gone"
    elif value.untold and not value.told:
        how = f"you left {name}; nobody could be told yet, those who return will be"
    elif value.untold:
        how = f"you left {name}; {value.told} know, {value.untold} will learn it from them"
    else:
        how = f"you left {name}"
    row = {"told": value.told, "untold": value.untold, "deleted": value.deleted}
    return Answer((how,), ({"chat": chat} | row,))


def networks(value: words.Networks, now_ms: int) -> Answer:
    """What the discovery services know; a name that several know is written name@HOST:PORT."""
    names = [one.name for one in value.networks]
    several_nds = len({one.nds for one in value.networks}) > 1
    rows = [
        (
            f"#{clean_name(one.name)}" + (f"@{one.nds}" if names.count(one.name) > 1 else ""),
            chat_number(one.chat_id),
            f"leader id {small(one.leader_id)}",
            clean_line(one.address),
            one.state,
            f"seen {duration(now_ms - one.seen_ms)} ago" if one.seen_ms else "never seen",
            *((one.nds,) if several_nds else ()),
            *kept,
        )
        for one, kept in zip(
            value.networks, _column([one.mode for one in value.networks]), strict=True
        )
    ]
    notes = tuple(f"NDS {address} does not answer" for address in value.unreachable)
    notes += tuple(f"not trusted: {clean_line(why)}" for why in value.distrusted)
    lines = table(rows) or (("no chats yet; 'p2pchat host NAME' makes one",) if not notes else ())
    code = errors.NO_NDS if notes and not rows else errors.DONE
    return Answer(lines, tuple(map(records.network, value.networks)), notes, code)


MARKS = {"alive": " ", "suspect": "?", "dropped": "-", "left": "x", "kicked": "x", "unknown": "?"}


def members(value: words.Members, now_ms: int) -> Answer:
    """Everyone, in order of id, with their marks: * leader, ? suspect, - gone, x no member."""
    rows = []
    for one in value.members:
        heard = one.seen_ms and not one.self
        rows.append(
            (
                MARKS.get(one.state, " ") + (clean_name if one.self else shown_nick)(one.nick),
                f"id {small(one.member_id)}",
                "*" if one.leader else "",
                _standing(one),
                clean_line(one.address),
                f"seen {duration(now_ms - one.seen_ms)} ago" if heard else "",
                _more(one),
            )
        )
    found = tuple(records.chat_member(one, value.chat) for one in value.members)
    return Answer(table(rows), found, (*_halt(value), *_noted(value.mode)))


def _standing(one: words.Member) -> str:
    role = f", {one.role}" if one.role in ("owner", "admin") else ""
    return f"{one.state}{' (you)' if one.self else ''}{role}"


def _more(one: words.Member) -> str:
    if one.removed_by:
        return f"removed by {shown_nick(one.removed_by)}"
    if one.state == "kicked":
        return "may be let in again"
    return f"away: {clean_line(one.away)}" if one.away else ""


def rights(value: words.Members) -> Answer:
    """Who may do what is not everybody's everywhere."""
    owner = next((one.nick for one in value.members if one.role == "owner"), "")
    admins = [one.nick for one in value.members if one.role == "admin"]
    those = {True: "its owner and admins", False: "every member"}
    lines = (
        f"owner: {shown_nick(owner) if owner else 'nobody who is in it'}",
        f"admins: {several(map(shown_nick, admins)) if admins else 'none'}",
        f"invite: {those[value.admins_invite]}",
        f"topic: {those[value.admins_topic]}",
    )
    row = {
        "chat": value.chat,
        "owner": owner or None,
        "admins": admins,
        "invite": "admins" if value.admins_invite else "all",
        "topic": "admins" if value.admins_topic else "all",
    }
    return Answer(lines, (row,))


def _halt(value: words.Members | words.Comparison) -> tuple[str, ...]:
    """What to know of a chat that does not go on here."""
    said = faults.halted(value.halt, value.halt_reason)
    return (f"#{clean_name(value.chat)} is {said}; 'p2pchat status' has more",) if said else ()


def leader(value: words.Leader) -> Answer:
    """Who leads; exit 5 where nobody is known to."""
    row = records.leader(value)
    name = clean_name(value.chat)
    if said := faults.halted(value.halt, value.halt_reason):
        line = f"#{name} is {said}, so who leads is not known here (epoch {value.epoch.n})"
        return Answer((line,), (row,), exit=errors.NO_PEER)
    if not value.leader_id:
        line = f"#{name} has no leader that is known here (epoch {value.epoch.n})"
        return Answer((line,), (row,), exit=errors.NO_PEER)
    line = f"{who(value.nick, value.leader_id)} leads #{name} (epoch {value.epoch.n})"
    if value.provisional:  # The epoch is the one before: only the NDS gives epochs.
        leads = f"{who(value.nick, value.leader_id)} leads #{name} for now"
        line = f"{leads}, after epoch {value.epoch.n}: the NDS has not confirmed it"
    return Answer((line,), (row,))


def progress(value: words.Progress) -> Answer:
    """The last word about a line sent."""
    code = errors.DONE if value.complete else errors.PARTIAL
    note = delivered(value.acked, value.of, value.later, value.missing if code else ())
    line = f"{value.id} {value.acked}/{value.of}"
    return Answer((line,), (records.progress(value),), (note,) if note else (), code)


def history(value: words.Page, chat: str, now_ms: int) -> Answer:
    """Messages in display order."""
    lines = [said for line in value.lines for said in message_lines(line, chat, now_ms=now_ms)]
    rows = tuple({"v": 1, "type": "message", "chat": chat} | records.line(x) for x in value.lines)
    return Answer(tuple(lines), rows)


def changed(line: words.Line, chat: str) -> Answer:
    """A line that was edited or redacted just now."""
    row = {"v": 1, "type": "change", "chat": chat} | records.line(line)
    return Answer((f"{line.id} is {'redacted' if line.erased else 'edited'}",), (row,))


def held(one: words.Peer) -> str:
    """How much a member that floods was throttled; empty for one that does not."""
    return f", throttled for {seconds(one.held_ms)}" if one.held_ms else ""


def peers(value: words.Peers) -> Answer:
    """The links to the other members."""
    rows = [
        (
            f"#{clean_name(one.chat)}",
            who(one.nick, one.member_id),
            clean_line(one.address),
            one.state,
            one.link,
            round_trip(one.rtt_us) if one.rtt_us else "-",
            f"{one.calls} calls, {one.failures} failed, {one.in_flight} under way{held(one)}",
            clean_line(one.watch),
            clean_line(one.last_error),
        )
        for one in value.peers
    ]
    return Answer(table(rows), tuple(map(records.plain, value.peers)))


def pings(value: words.Pings) -> Answer:
    """Round trips; exit 5 where one did not answer."""
    rows = [
        (
            who(row.nick, row.member_id),
            round_trip(row.rtt_us) if row.answered else "no answer",
            _said(row),
        )
        for row in value.rows
    ]
    silent = any(not row.answered for row in value.rows)
    found = tuple(records.plain(row, chat=value.chat) for row in value.rows)
    lines = table(rows) or ("you are alone here",)
    return Answer(lines, found, exit=errors.NO_PEER if silent else errors.DONE)


def _said(row: words.PingRow) -> str:
    """What the other one says of itself; one that leads for now has no epoch of its own."""
    if not row.answered:
        return clean_line(row.said)
    after = "after " if row.said == "provisional" else ""
    return f"{clean_line(row.said)}, {after}epoch {row.epoch.n}"


def tracing(value: words.Tracing, chat: str, now_ms: int) -> Answer:
    """Where a message is: who has it since when, who lacks it and why."""
    line = value.line
    head = message_lines(line, chat, now_ms=now_ms)
    facts = [f"id {line.msg_id}, epoch {line.epoch.n}, leader {led_by(value)}"]
    if value.stored_ms:
        facts.append(f"stored here {clock(value.stored_ms, now_ms)}")
    if value.follows:
        facts.append(f"follows {several(value.follows)}")
    rows = [(f"  {who(row.nick, row.member_id)}", _step(row)) for row in value.rows]
    if line.own:
        facts.append(delivery(value))
    row = records.line(line) | {
        "chat": chat,
        "leader": value.leader_nick or None,
        "provisional": value.provisional,
        "stored": iso(value.stored_ms),
        "follows": list(value.follows),
        "members": [records.plain(one) for one in value.rows],
    }
    return Answer((*head, *facts, *table(rows)), (row,))


def _step(row: words.TraceRow) -> str:
    if row.state == "acked":
        took = f" after {row.took_ms} ms" if row.took_ms else ""
        return f"has it{took}, {row.way}" if row.way else f"has it{took}"
    if row.state == "later":
        return "gone; gets it when they are back"
    if row.state == "behind":
        return "is back; not seen to have it yet"
    if row.state == "gone":
        return "no longer a member"
    told = f"waiting, {counted(row.tries, 'try', 'tries')}" if row.tries else "waiting"
    if row.last_status:
        told += f", last: {clean_line(row.last_status)}"
    return told + (f", next in {seconds(row.next_try_ms)}" if row.next_try_ms else "")


def unread(value: words.Unread, chat: str) -> Answer:
    """Two numbers for status bars: unread, mentions."""
    row = {"chat": chat or None, "unread": value.unread, "mentions": value.mentions}
    return said(f"{value.unread} {value.mentions}", **row)


def invitation(value: words.Invitation, chat: str) -> Answer:
    """The join line alone."""
    return said(
        value.join_line,
        chat=chat or None,
        join=value.join_line,
        through=value.through,
        id=value.id or None,
        expires=records.plain(value)["expires"],
        once=value.once,
    )


def invites(value: words.Invites, now_ms: int) -> Answer:
    """Every invitation, without its secret."""
    if value.open:
        note = f"#{clean_name(value.chat)} lets in whoever asks"
    else:
        note = "" if value.invites else f"nobody is invited to #{clean_name(value.chat)}"
        if value.password:
            note = f"{note}; " * bool(note) + "who knows its password gets in, too"
    lines = table(
        [
            (
                clean_line(one.id),
                clean_line(one.state),
                f"by {shown_nick(one.by)}",
                "for one" if one.once else "for any number",
                f"until {clock(one.expires_ms, now_ms)}" if one.expires_ms else "for good",
                f"{one.used} came by it",
            )
            for one in value.invites
        ]
    )
    rows = tuple(records.plain(one, chat=value.chat) for one in value.invites)
    return Answer(lines, rows, (note,) if note else ())


def elections(value: words.Elections, now_ms: int) -> Answer:
    """The last elections, step by step."""
    lines: list[str] = []
    for one in value.elections:
        winner = "under way" if one.under_way else "no change"
        if one.winner:
            how = "for now (after " if one.provisional else "("
            winner = f"{shown_nick(one.winner)} leads {how}epoch {one.epoch.n})"
        lines.append(f"{clock(one.began_ms, now_ms)} election, {seconds(one.took_ms)}: {winner}")
        lines += [
            f"  +{step.at_ms - one.began_ms} ms  {clean_line(step.text)}" for step in one.steps
        ]
    rows = tuple(records.plain(one) for one in value.elections)
    return Answer(tuple(lines) or ("no election seen yet",), rows)


def outcome(value: words.Outcome) -> Answer:
    """How an election ended that was asked for."""
    return said(clean_line(value.outcome), **records.leader(value.leader), outcome=value.outcome)


def comparison(value: words.Comparison) -> Answer:
    """Whether all have the same history; exit 6 where they have not, or that is not known."""
    rows = [
        (
            who(row.nick, row.member_id),
            row.fingerprint or "no answer",
            compared(value, row),
        )
        for row in value.rows
    ]
    last = sameness(value)
    if value.halt:
        last = "this node's history is as it was when the chat stood still; the others are compared"
    code = errors.DONE if value.same else errors.PARTIAL
    lost = [missing(one.messages, who(one.nick, one.member_id)) for one in value.lost]
    lines = (*table(rows), *lost, last)
    return Answer(lines, (records.check(value),), _halt(value), exit=code)


def calls(value: words.Calls, now_ms: int) -> Answer:
    """The last calls as grpcurl lines, oldest first."""
    lines: list[str] = []
    for one in value.calls:
        when = f"# {clock(one.at_ms, now_ms)} {clean_line(one.status)}, {one.took_ms} ms"
        asked = clean_line(one.request_json)
        lines += [when, grpcurl(one.address, one.method, asked, keys=value.keys)]
    return Answer(tuple(lines), tuple(map(records.plain, value.calls)))


def queue(value: words.Queue, now_ms: int) -> Answer:
    """Own lines that somebody who is there lacks."""
    lines: list[str] = []
    for row in value.rows:
        lines += message_lines(row.line, row.chat, now_ms=now_ms)
        when = f", next try in {seconds(row.next_try_ms)}" if row.next_try_ms else ""
        lines.append(f"  {row.line.id} waits for {several(map(shown_nick, row.missing))}{when}")
    rows = tuple(
        records.line(row.line) | {"chat": row.chat, "missing": list(row.missing)}
        for row in value.rows
    )
    return Answer(tuple(lines) or ("nothing waits",), rows)


def diagnosis(value: words.Diagnosis) -> Answer:
    """The checks; exit 1 where one is not well."""
    rows = [("ok" if row.ok else "!!", row.check, clean_line(row.text)) for row in value.rows]
    code = errors.DONE if all(row.ok for row in value.rows) else errors.OTHER
    return Answer(table(rows), tuple(map(records.plain, value.rows)), exit=code)


def printed(answer: Answer, as_json: bool) -> tuple[str, ...]:
    """What goes to stdout."""
    return tuple(map(records.dumped, answer.rows)) if as_json else answer.lines
