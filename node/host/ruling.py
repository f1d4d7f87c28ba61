"""What owner and admins decide at this node: who is an admin, who is out, what is theirs alone.

Whether it may be decided is found out before, so that people are told why not; what comes of it
says the group.
"""

from collections.abc import Iterator
from contextlib import suppress

from ..core.deciding import ADMINS, Act
from ..core.events import Changed, Decided, Field
from ..core.messages import Member
from ..core.ruling import DECISIONS_MAX
from ..errors import BadField, NoSuchMember, NotAllowed
from .asking import settled
from .chats import Chat, wall_ms
from .rights import CALLED
from .views import named

FOR_THE_OWNER = (Act.OP, Act.DEOP, Act.OWNER)
SETTINGS = (Act.INVITES, Act.TOPIC)


async def decide(chat: Chat, act: Act, who: str = "", value: str = "") -> str:
    """Decides that; gives the name of whom it is about, as it was shown until now.

    Raises:
        NotAllowed: it is not for this node's user to decide.
        NoSuchMember, AmbiguousMember: nobody is called so, or several are.
        BadField: the value makes no sense.
        Complaint: it cannot be stored.
    """
    chat.check_writable()
    group, order = chat.group, chat.group.order
    needed, mine = 2 if act in FOR_THE_OWNER else 1, order.rank(group.me)
    if act is Act.TITLE:
        raise BadField(field="act", text="cannot be a topic: that is for SetTopic")
    if act in SETTINGS and value not in (ADMINS, "all"):
        raise BadField(field="value", text=f"must be admins or all, not {value!r}")
    if mine < needed:
        who_may = "its owner" if needed > 1 else "its owner and admins"
        raise NotAllowed(chat=chat.name, text=f"you are {CALLED[mine]}, that is for {who_may}")
    if act in SETTINGS:
        await _set(chat, act, ADMINS if value == ADMINS else "")
        return ""
    member, name = find(chat, act, who)
    if fault := _fault(chat, act, member, name):
        raise NotAllowed(chat=chat.name, text=fault)
    whom = 0 if act is Act.UNBAN else member.id
    await _decided(chat, Decided(act, wall_ms(), whom, member.identity))
    return name


async def _set(chat: Chat, act: Act, value: str) -> None:
    """Where admins alone set the topic it is theirs; the one that there is stays."""
    order, about = chat.group.order, chat.group.about.value
    if value == (order.invites if act is Act.INVITES else order.topic):
        return
    if act is Act.TOPIC and value == ADMINS and about:
        await _decided(chat, Decided(Act.TITLE, wall_ms(), value=about))
    await _decided(chat, Decided(act, wall_ms(), value=value))
    if act is Act.TOPIC and not value and chat.group.about.value != about:
        await settled(chat, Changed(Field.TOPIC, about, wall_ms()))


async def _decided(chat: Chat, event: Decided) -> None:
    """Raises NotAllowed where the group has no room for it."""
    before = len(chat.group.roster.decisions)
    await settled(chat, event)
    if len(chat.group.roster.decisions) == before:
        text = f"{before} decisions were made here, of {DECISIONS_MAX}, and the rest is its owner's"
        raise NotAllowed(chat=chat.name, text=text)


def _fault(chat: Chat, act: Act, member: Member, name: str) -> str:
    """Why that is not to be decided about this member; empty where it is."""
    group, order = chat.group, chat.group.order
    rank, mine = order.rank(member.id), order.rank(group.me)
    match act:
        case Act.KICK | Act.BAN if member.id == group.me:
            return "nobody removes oneself: 'p2pchat leave', or /leave, ends a membership"
        case Act.KICK | Act.BAN if rank >= mine:
            return f"{name} is {CALLED[rank]}, and you are {CALLED[mine]}"
        case Act.KICK | Act.BAN if member.identity in order.barred:
            return f"{name} is out already"
        case Act.UNBAN if member.identity not in order.barred:
            return f"nobody keeps {name} out"
        case Act.DEOP if rank != 1:
            return f"{name} is {CALLED[rank]}, not an admin"
        case Act.OP | Act.OWNER if rank == 2:
            return f"{name} is the owner"
        case Act.OP if rank == 1:
            return f"{name} is an admin already"
    return ""


def find(chat: Chat, act: Act, wanted: str) -> tuple[Member, str]:
    """Whom that act means, and how it is called: of those that belong, for BAN also of those that
    left, for UNBAN first of those that are out.

    Raises NoSuchMember or AmbiguousMember.
    """
    those = tuple(_those(chat, act))
    if act is Act.UNBAN:
        group = chat.group
        out = [one for one in those if one.identity in group.order.barred]
        here = [one for one in those if group.life(one.id) is not None]
        for some in (out, here):  # Nobody keeps out who belongs, which is said.
            with suppress(NoSuchMember):
                return named(chat, some, wanted)
    return named(chat, those, wanted)


def _those(chat: Chat, act: Act) -> Iterator[Member]:
    group, barred = chat.group, chat.group.order.barred
    for member in group.roster.members:
        is_out = member.identity in barred
        belongs = group.life(member.id) is not None
        if act is Act.UNBAN or (act is Act.BAN and not is_out) or belongs:
            yield member
