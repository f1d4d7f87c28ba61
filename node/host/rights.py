"""Who may do what in a chat, as its owner and admins have decided, for people who ask."""

from ..core.deciding import ADMINS
from ..core.types import MemberId
from ..errors import NotAllowed
from .chats import Chat

ROLES = ("member", "admin", "owner")  # by rank
CALLED = ("a member", "an admin", "the owner")


def role(chat: Chat, member: MemberId) -> str:
    """owner, admin or member; empty for one who does not belong."""
    group = chat.group
    return ROLES[group.order.rank(member)] if group.life(member) is not None else ""


def check_invites(chat: Chat) -> None:
    """Raises NotAllowed where admins alone invite, and one is none."""
    _check(chat, chat.group.order.invites, "its owner and admins alone invite")


def check_topic(chat: Chat) -> None:
    """Raises NotAllowed where admins alone set the topic, and one is none."""
    _check(chat, chat.group.order.topic, "its owner and admins alone set the topic")


def check_others(chat: Chat) -> None:
    """Raises NotAllowed where nobody gets in but by an admin's invitation."""
    if chat.group.order.invites == ADMINS:
        text = "its owner and admins alone invite ('p2pchat rights invite all' ends that)"
        raise NotAllowed(chat=chat.name, text=text)


def _check(chat: Chat, setting: str, text: str) -> None:
    if setting == ADMINS and not chat.group.order.rank(chat.group.me):
        raise NotAllowed(chat=chat.name, text=text)
