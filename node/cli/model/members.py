"""Who is in a chat, as far as happenings tell before the list of members is read again."""

from msgspec.structs import replace

from ...happenings import LeaderEvent, MemberEvent, SuspectEvent
from ...words import Member
from .values import View

_GONE = frozenset({"left", "kicked"})
_RANKS = {"owner": "owner", "admin": "admin", "no_admin": "member"}
_LIVES = {"joined": "alive", "returned": "alive", "reinstated": "alive", "dropped": "dropped"}
# Without a list of members: what is added to those alive, and to those known.
_COMING = {
    "joined": (1, 1),
    "reinstated": (1, 1),
    "returned": (1, 0),
    "dropped": (-1, 0),
    "left": (-1, -1),
    "kicked": (-1, -1),
}


def with_members(view: View, members: tuple[Member, ...]) -> View:
    """The view with another list of members, and the counts that follow from it."""
    own = next((one.nick for one in members if one.self), "")
    if own and own != view.chat.nick:
        view = replace(view, chat=replace(view.chat, nick=own))
    known = sum(member.state not in _GONE for member in members)
    alive = sum(member.state == "alive" for member in members)
    if not members or view.chat.halt or (known, alive) == (view.chat.known, view.chat.alive):
        return replace(view, members=members)
    chat = replace(view.chat, known=max(1, known), alive=max(1, alive))
    return replace(view, members=members, chat=chat)


def with_member(view: View, event: MemberEvent) -> View:
    """The view after something about a member."""
    if event.change in ("banned", "pardoned", "rights"):
        return view
    if event.change == "topic":
        return replace(view, chat=replace(view.chat, topic=event.detail, topic_by=event.nick))
    if event.member_id == view.chat.member_id and event.change == "renamed":
        view = replace(view, chat=replace(view.chat, nick=event.nick))
    if event.member_id == view.chat.leader_id and event.change == "renamed":
        view = replace(view, chat=replace(view.chat, leader_nick=event.nick))
    if not view.members:
        alive, known = _COMING.get(event.change, (0, 0))
        known = max(1, view.chat.known + known)
        alive = min(known, max(1, view.chat.alive + alive))
        return replace(view, chat=replace(view.chat, alive=alive, known=known))
    others = tuple(one for one in view.members if one.member_id != event.member_id)
    if event.change in _GONE:
        return with_members(view, others)
    held = next((one for one in view.members if one.member_id == event.member_id), None)
    if held is None and _LIVES.get(event.change) != "alive":
        return view
    member = _changed(held or Member(event.member_id), event)
    return with_members(view, tuple(sorted((*others, member), key=lambda one: one.member_id)))


def _changed(member: Member, event: MemberEvent) -> Member:
    away = {"away": event.detail, "back": ""}.get(event.change, member.away)
    state = _LIVES.get(event.change, member.state)
    role = _RANKS.get(event.change, member.role)
    return replace(member, nick=event.nick or member.nick, state=state, away=away, role=role)


def with_suspect(view: View, event: SuspectEvent) -> View:
    """The view after a member's silence, or its end."""
    state = "alive" if event.cleared else "suspect"
    return with_members(
        view,
        tuple(
            replace(one, state=state) if one.member_id == event.member_id else one
            for one in view.members
        ),
    )


def with_leader(view: View, event: LeaderEvent) -> View:
    """The view under another leader."""
    chat = replace(
        view.chat,
        leader_id=event.leader_id,
        leader_nick=event.nick,
        epoch=event.epoch,
        provisional=event.provisional,
    )
    members = tuple(
        one if one.leader == leads else replace(one, leader=leads)
        for one in view.members
        for leads in (bool(event.leader_id) and one.member_id == event.leader_id,)
    )
    return replace(view, chat=chat, members=members)
