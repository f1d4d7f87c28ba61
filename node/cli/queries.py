"""What verbs and slash commands ask of the node: name -> one or two calls -> an `Answer`.

Both kinds of faces use this table, so that they say the same things in the same words.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from .. import errors, words
from ..core.types import small
from ..people import Person, meant
from .render import tables
from .render.tables import Answer, said
from .render.text import clean_line, clean_name

if TYPE_CHECKING:
    from . import passwords
    from .client import Client

PAGE, FEW = 1_000, 50  # lines


def now_ms() -> int:
    """Wall clock."""
    return time.time_ns() // 1_000_000


async def ask(node: "Client", query: str, /, **args: Any) -> Answer:
    """Runs the query of that name.

    Raises:
        Complaint: the node refuses, or is not there.
    """
    return await QUERIES[query](node, **args)


async def chat_name(node: "Client", chat: str) -> str:
    """The name of a chat, however it was given."""
    return (await node.leader(chat)).chat


async def chat_of(node: "Client", chat: str) -> words.Chat:
    """A chat as the node's status has it: by its id where one is given, for names may be equal."""
    chats = (await node.status()).chats
    if found := [one for one in chats if f"{one.chat_id:016x}" == chat]:
        return found[0]
    name = await chat_name(node, chat)
    return next((one for one in chats if one.name == name), words.Chat(name=name))


# ---- coming and going --------------------------------------------------------------------------


async def _join(
    node: "Client",
    line: str,
    nds: str = "",
    nick: str = "",
    password: str | None = None,
    asks: "passwords.Ask | None" = None,
) -> Answer:
    from . import passwords

    admitted = await passwords.join(node, line, nds, nick, password, asks)
    answer = tables.joined(admitted)
    try:
        wanted = nick or (await node.status()).nick
    except errors.Complaint:  # one is in, all the same
        return answer
    if admitted.nick in ("", wanted) or admitted.already:
        return answer
    note = f"{clean_name(wanted)} is taken there, so you are {clean_name(admitted.nick)}"
    return replace(answer, notes=(*answer.notes, note))


async def _create(
    node: "Client",
    name: str,
    nds: str = "",
    nick: str = "",
    transient: bool = False,
    is_open: bool = False,
    password: words.PasswordKey = words.PasswordKey(),  # noqa: B008  frozen
    hides_history: bool = False,
) -> Answer:
    mode = words.Mode.TRANSIENT if transient else words.Mode.LOGGED
    return tables.created(
        await node.create(name, nds, nick, mode, is_open, password, hides_history)
    )


async def _leave(node: "Client", chat: str) -> Answer:
    name = await chat_name(node, chat)
    return tables.left(await node.leave(chat), name)


async def _networks(node: "Client", nds: str = "") -> Answer:
    return tables.networks(await node.networks(nds), now_ms())


async def _invite(
    node: "Client", chat: str, once: bool = False, expires_s: int = 0, lasting: bool = False
) -> Answer:
    made = await node.invite(chat, once, expires_s, lasting)
    return tables.invitation(made, await chat_name(node, chat))


async def _invites(node: "Client", chat: str) -> Answer:
    return tables.invites(await node.invites(chat), now_ms())


async def _revoke(node: "Client", chat: str, id: str) -> Answer:
    await node.revoke_invite(chat, id)
    name = await chat_name(node, chat)
    return tables.said(f"invitation {id} of #{name} is of no use any more", chat=name, id=id)


async def _password(node: "Client", chat: str, password: words.PasswordKey) -> Answer:
    await node.set_password(chat, password)
    name, is_set = await chat_name(node, chat), password != words.PasswordKey()
    told = f"who knows the password gets into #{name} from now on, or has a line ('p2pchat invite')"
    gone = f"#{name} has no password any more; who has a line gets in ('p2pchat invite')"
    return tables.said(told if is_set else gone, chat=name, password=is_set)


async def _hosted(
    node: "Client",
    chat: str,
    nick: str = "",
    transient: bool = False,
    is_open: bool = False,
    hides_history: bool = False,
) -> Answer:
    """The invitation to a chat that was to be made and is there already, told as at its making.

    Raises:
        Usage: it was to be made as it is not.
    """
    about = await chat_of(node, chat)
    there = f"you are in #{about.name} already, and it"
    if transient and about.mode != words.Mode.TRANSIENT:
        raise errors.Usage(text=f"--transient is for a new chat: {there} is kept on disk.")
    if is_open and not (await node.invites(chat)).open:
        raise errors.Usage(text=f"--open is for a new chat: {there} lets in who is invited.")
    if hides_history and not (await node.invites(chat)).hides_history:
        text = f"--history none is for a new chat: {there} shows newcomers all that was said."
        raise errors.Usage(text=text)
    try:
        answer = tables.hosted(about, (await node.invite(chat)).join_line)
    except errors.TooManyInvites as full:
        answer = tables.hosted(about, "", str(full))
    if nick in ("", about.nick):
        return answer
    late = f"you are {clean_name(about.nick)} there; --nick counts at its making: /nick changes it"
    return replace(answer, notes=(*answer.notes, late))


# ---- a chat ------------------------------------------------------------------------------------


async def _members(node: "Client", chat: str, everyone: bool = False) -> Answer:
    return tables.members(await node.members(chat, everyone), now_ms())


async def _whois(node: "Client", chat: str, member: str) -> Answer:
    found = await node.members(chat, True)
    return whois_of(found, member)


def _removal(one: words.Member) -> tuple[str, ...]:
    if one.removed_by:
        return (f"removed by {clean_name(one.removed_by)}",)
    return ("may be let in again",) if one.state == "kicked" else ()


def whois_of(found: words.Members, member: str) -> Answer:
    """One member; one that left only where nobody is called so who is in.

    Raises NoSuchMember or AmbiguousMember.
    """
    known = {one.member_id: one for one in found.members}
    every = [Person(one.member_id, one.nick, one.identity) for one in found.members]
    here = [one for one in every if known[one.id].state not in ("left", "kicked")]
    try:
        one = known[meant(here, member, found.chat).id]
    except errors.NoSuchMember:
        one = known[meant(every, member, found.chat).id]
    lines = (
        f"{clean_name(one.nick)} (id {small(one.member_id)}) in #{clean_name(found.chat)}",
        f"state {one.state}{', leads' if one.leader else ''}{', you' if one.self else ''}",
        *((f"role {one.role}",) if one.role else ()),
        *_removal(one),
        f"address {clean_line(one.address)}",
        f"identity {one.identity}",
        *((f"certificate {one.certificate[:16]}",) if one.certificate else ()),
        f"own lines acknowledged {one.acked}, lacking {one.lacking}",
        *((f"away: {clean_line(one.away)}",) if one.away else ()),
    )
    return Answer(lines)


async def _decide(node: "Client", chat: str, act: str, member: str) -> Answer:
    """One of `DECIDED`."""
    nick = (await node.decide(chat, act, member)).nick
    name = await chat_name(node, chat)
    text = DECIDED[act].format(nick=clean_name(nick), chat=clean_name(name))
    return said(text, chat=name, act=act, nick=nick)


DECIDED = {
    "kick": "{nick} is removed from #{chat}, and not let in again ('unban' takes that back)",
    "ban": "{nick} is not let into #{chat}",
    "unban": "{nick} may be let into #{chat} again, as a new member",
    "op": "{nick} is an admin of #{chat} now",
    "deop": "{nick} is no admin of #{chat} any more",
    "owner": "{nick} owns #{chat} now, and you are an admin",
}


async def _rights(node: "Client", chat: str, right: str = "", value: str = "") -> Answer:
    """Who may invite and set the topic; with a right and a value, that from now on."""
    if right:
        await node.decide(chat, RIGHTS[right], value=value)
    return tables.rights(await node.members(chat))


RIGHTS = {"invite": "invites", "topic": "topic"}  # and what is decided about them


async def _topic(node: "Client", chat: str, topic: str = "") -> Answer:
    if topic:
        await node.set_topic(chat, topic)
        return Answer()
    about = await chat_of(node, chat)
    name = clean_name(about.name)
    if not about.topic:
        return said(f"#{name} has no topic")
    by = f" (set by {clean_name(about.topic_by)})" if about.topic_by else ""
    return said(f"#{name} - {clean_line(about.topic)}{by}")


async def _search(node: "Client", chat: str, text: str, count: int = 0) -> Answer:
    """Every line that holds `text`, whatever its case; the last `count` of them if that is set.

    Raises:
        Usage: there is no text, which every line would hold.
    """
    if not text.strip():
        raise errors.Usage(text="Which text? For example: p2pchat search broke the build")
    name = await chat_name(node, chat)
    page = await read(node, chat, count=count or PAGE * PAGE, contains=text)
    answer = tables.history(page, name, now_ms())
    return answer if page.lines else Answer(notes=(f"nothing in #{clean_name(name)} holds it",))


async def _history(node: "Client", chat: str, count: int = 20, since_ms: int = 0) -> Answer:
    name = await chat_name(node, chat)
    return tables.history(await read(node, chat, count=count, since_ms=since_ms), name, now_ms())


async def read(
    node: "Client", chat: str, *, count: int, since_ms: int = 0, contains: str = ""
) -> words.Page:
    """The last `count` lines that match, oldest first, from as many pages as it takes."""
    lines: tuple[words.Line, ...] = ()
    cursor = ""
    while len(lines) < count:
        page = await node.history(
            chat,
            count=min(PAGE, count - len(lines)),
            since_ms=since_ms,
            before=cursor,
            contains=contains,
        )
        lines, cursor = (*page.lines, *lines), page.cursor
        if not cursor:
            break
    return words.Page(lines, cursor)


async def _edit(node: "Client", chat: str, text: str, id: str = "") -> Answer:
    return tables.changed(await node.edit(chat, id, text), await chat_name(node, chat))


async def _redact(node: "Client", chat: str, id: str) -> Answer:
    return tables.changed(await node.redact(chat, id), await chat_name(node, chat))


async def look_up(
    node: "Client", chat: str, id: str, wanted: Callable[[words.Line], bool]
) -> words.Line | None:
    """The line whose id begins so; without an id the newest that is wanted, None where the chat
    has none.

    Raises:
        Complaint: no id begins so, or several do; or the node is not there.
    """
    if id:
        return (await node.trace(chat, id)).line
    cursor, count = "", FEW
    while True:
        page = await node.history(chat, count=count, before=cursor)
        if found := [line for line in page.lines if wanted(line)]:
            return found[-1]
        cursor, count = page.cursor, PAGE
        if not cursor:
            return None


async def _unread(node: "Client", chat: str = "") -> Answer:
    return tables.unread(await node.unread(chat), chat.removeprefix("#"))


async def _missed(node: "Client", chat: str) -> Answer:
    """What is unread, in words."""
    found = await node.unread(chat)
    if not found.unread:
        return said("nothing unread")
    verb = "mentions" if found.mentions == 1 else "mention"
    named = f", {found.mentions} {verb} you" if found.mentions else ""
    return said(f"{found.unread} unread{named}")


async def _mark_read(node: "Client", chat: str) -> Answer:
    await node.mark_read(chat)
    return Answer()


async def _nick(node: "Client", nick: str, chat: str = "") -> Answer:
    shown = (await node.set_nick(nick, chat)).nick
    taken = "" if shown == nick else f", since {clean_name(nick)} was taken"
    return said(f"you are {clean_name(shown)} now{taken}", nick=shown)


async def _away(node: "Client", away: str, chat: str = "") -> Answer:
    await node.set_away(away, chat)
    return said("you are away")


async def _back(node: "Client", chat: str = "") -> Answer:
    await node.set_away("", chat)
    return said("you are back")


# ---- the system --------------------------------------------------------------------------------


async def _status(node: "Client") -> Answer:
    return tables.status(await node.status(), now_ms())


async def _version(node: "Client") -> Answer:
    value = await node.status()
    return said(f"p2pchat {value.version}", f"control {value.control}", f"log {value.log}")


async def _nds(node: "Client") -> Answer:
    value = await node.status()
    lines = tuple(f"NDS {one.address}: {one.state}" for one in value.nds)
    return Answer(lines or ("no NDS is in use",))


async def _log(node: "Client") -> Answer:
    return said((await node.status()).log)


async def _leader(node: "Client", chat: str) -> Answer:
    return tables.leader(await node.leader(chat))


async def _elections(node: "Client", chat: str) -> Answer:
    return tables.elections(await node.elections(chat), now_ms())


async def _challenge(node: "Client", chat: str) -> Answer:
    return tables.outcome(await node.start_election(chat))


async def _trace(node: "Client", chat: str, id: str = "") -> Answer:
    name = await chat_name(node, chat)
    return tables.tracing(await node.trace(chat, id), name, now_ms())


async def _queue(node: "Client", chat: str = "") -> Answer:
    return tables.queue(await node.queue(chat), now_ms())


async def _ping(node: "Client", chat: str, member: str = "") -> Answer:
    return tables.pings(await node.ping(chat, member))


async def _peers(node: "Client", chat: str = "") -> Answer:
    return tables.peers(await node.peers(chat))


async def _check(node: "Client", chat: str) -> Answer:
    return tables.comparison(await node.check(chat))


async def _calls(node: "Client", count: int = 20) -> Answer:
    return tables.calls(await node.calls(count), now_ms())


async def _doctor(node: "Client") -> Answer:
    return tables.diagnosis(await node.diagnose())


ENTERING = ("join", "create")  # queries after which the chat that they name is to be in front


def entered(query: str, answer: Answer) -> int:
    """The chat that one has come into by this query; 0 for none."""
    chats = [row["chat_id"] for row in answer.rows if "chat_id" in row]
    return int(str(chats[0]), 16) if query in ENTERING and chats else 0


QUERIES: dict[str, Callable[..., Awaitable[Answer]]] = {
    "join": _join,
    "create": _create,
    "leave": _leave,
    "networks": _networks,
    "invite": _invite,
    "invites": _invites,
    "revoke": _revoke,
    "password": _password,
    "hosted": _hosted,
    "members": _members,
    "whois": _whois,
    "topic": _topic,
    "decide": _decide,
    "rights": _rights,
    "search": _search,
    "history": _history,
    "edit": _edit,
    "redact": _redact,
    "unread": _unread,
    "missed": _missed,
    "read": _mark_read,
    "nick": _nick,
    "away": _away,
    "back": _back,
    "status": _status,
    "version": _version,
    "nds": _nds,
    "log": _log,
    "leader": _leader,
    "elections": _elections,
    "challenge": _challenge,
    "trace": _trace,
    "queue": _queue,
    "ping": _ping,
    "peers": _peers,
    "check": _check,
    "rpc": _calls,
    "doctor": _doctor,
}


# ---- pages -------------------------------------------------------------------------------------

CALLS_MAX = 100  # calls that the page of them shows


async def fetch(node: "Client", kind: str, /, **args: Any) -> object:
    """What the page `kind` shows, as a value of `words`.

    Raises:
        Complaint: the node refuses, or is not there.
    """
    return await PAGES[kind](node, **args)


PAGES: dict[str, Callable[..., Awaitable[object]]] = {
    "elections": lambda node, chat: node.elections(chat),
    "trace": lambda node, chat, id="": node.trace(chat, id),
    "queue": lambda node, chat="": node.queue(chat),
    "peers": lambda node, chat="": node.peers(chat),
    "check": lambda node, chat: node.check(chat),
    "rpc": lambda node, count=CALLS_MAX: node.calls(count),
}
