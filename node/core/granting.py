"""Grants: what the registry has signed of an epoch, and who is believed without one: nobody.

An epoch is made by the registry alone.  Who hears of it from a member is shown the registry's
signature; where that is missing, or is not its own, the epoch counts for nothing.
"""

from .messages import Grant, View
from .state import State
from .types import Address, ChatId, Epoch, MemberId

PURPOSE = b"p2pchat grant 1\0"  # no signature for anything else begins like this


def statement(chat: ChatId, epoch: Epoch, leader: MemberId, grant: Grant) -> bytes:
    """What the registry signs: that member leads that epoch, on that certificate's node."""
    hash, key = grant.certificate_hash.hex(), grant.claim_key.hex()
    said = (chat, f"{epoch.generation}.{epoch.n}", leader, hash, key)
    return PURPOSE + "|".join(map(str, said)).encode()


def is_granted(s: State, epoch: Epoch, leader: MemberId, grant: Grant) -> bool:
    """Has the registry made that member leader of that epoch?  Believed where nobody can tell."""
    verify = s.setup.granted
    if verify is None:
        return True
    said = statement(s.chat, epoch, leader, grant)
    return verify(s.nds, said, grant.signature) is not False


def is_disowned(s: State, nds: Address, chat: ChatId, view: View) -> bool:
    """Is somebody said to lead by the word of another registry than the one that we know there?"""
    verify, grant = s.setup.granted, view.grant
    if verify is None or not grant.signature:
        return False
    return verify(nds, statement(chat, view.epoch, view.leader, grant), grant.signature) is False
