"""Issued ids: which the registry has given to a leader, with its epoch, for newcomers.

Who is let in shows by whom, and that this one had led and had that id to give.  So nobody lets
anybody in who never led, and nobody takes an id that another is to have.
"""

from .state import State
from .types import ChatId, Epoch, IdBlock, MemberId

PURPOSE = b"p2pchat ids 1\0"  # no signature for anything else begins like this


def statement(chat: ChatId, epoch: Epoch, leader: MemberId, ids: IdBlock) -> bytes:
    """What the registry signs: the leader of that epoch may give these ids."""
    said = (chat, f"{epoch.generation}.{epoch.n}", leader, ids.first, ids.count)
    return PURPOSE + "|".join(map(str, said)).encode()


def is_issued(s: State, member: MemberId, epoch: Epoch, leader: MemberId, ids: IdBlock) -> bool:
    """Had the leader of that epoch this id to give?  Believed where nobody can tell."""
    verify = s.setup.granted
    if verify is None:
        return True
    said = statement(s.chat, epoch, leader, ids)
    return member in ids.ids and verify(s.nds, said, ids.signature) is not False


def usable(s: State, ids: IdBlock) -> dict[MemberId, IdBlock]:
    """Those that can be given: a registry that lies names ids that somebody has, or had, or that
    come before the founder's.
    """
    members = s.members
    founder = members.decisions.founder
    return {id: ids for id in ids.ids if id > founder and members.get(id) is None}
