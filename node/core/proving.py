"""Speaking for the group at the registry: proofs, and the keys that they are made with.

The registry changes a network for nobody who has not signed with its claim key, which members alone
know; the owner's identity does as well, should the keys ever differ.  A signature is about one
request, on connections that prove our certificate: nobody else can use it.  How ownership went on
the registry is told with each of them, since it knows no decisions.

Whoever leads makes a new key when somebody has gone, tells the members, gives them time to hear of
it, and then has the registry take it for the earlier one.  If it dies in between, the others have
both.  A key waits for all that answer to have it, a while later for one, or could be lost with us;
not where somebody was removed, who must not wait for that.  Who is leaving makes none.  There is at
most one that is not registered yet, so that the registered one is not among those that are
forgotten; and where a member makes up others, each keeps the registered one for itself.

    somebody goes --- Renew ---> new key, told to all --- SPREAD_MS, a view like ours, Renew --->
                                                                                          registered
"""

from collections.abc import Iterator
from hashlib import blake2b, sha256
from typing import TypeVar

from msgspec.structs import replace

from .access import ClaimKey
from .deciding import in_value
from .messages import Claim, Delete, HandedOver, Proof, Renew, Roster
from .state import State
from .types import MemberId, Millis

PURPOSE = b"p2pchat claim 1\0"  # no signature for anything else begins like this
NO_CERTIFICATE = bytes(32)  # its hash, where connections prove nothing
HAND_OVERS_MAX = 16  # that the registry looks at
SIGNATURE_BYTES = 64
SPREAD_MS: Millis = 2_000  # for members to hear of a new key
PATIENCE_MS: Millis = 60_000  # for all that answer to have it; then one other is enough

Provable = TypeVar("Provable", Claim, Renew, Delete)


def statement(request: Claim | Renew | Delete, shows: bytes) -> bytes:
    """What is signed for a request on a connection that proves this certificate."""
    said: tuple[object, ...]
    match request:
        case Claim(chat, node, address, expected, nonce):
            keys = request.claim_key.hex(), request.owner.hex()
            said = "UpdateLeader", chat, node, _text(expected), nonce, address, *keys
        case Renew(chat, node, epoch, address):
            keys = request.claim_key.hex(), request.owner.hex()
            said = "Renew", chat, node, _text(epoch), 0, address, *keys
        case Delete(chat, epoch):
            said = "DeleteNetwork", chat, 0, _text(epoch), 0, "", "", ""
    shown = sha256(shows).digest() if shows else NO_CERTIFICATE
    return PURPOSE + shown + "|".join(map(str, said)).encode()


def _text(epoch: tuple[int, int]) -> str:
    return f"{epoch[0]}.{epoch[1]}"


def first_key(secret: bytes) -> ClaimKey:
    """That of a new group, which nobody has left yet."""
    return ClaimKey(1, secret, gone_hash(()))


def gone_hash(ids: tuple[MemberId, ...]) -> int:
    """A hash of those who have gone."""
    return int.from_bytes(blake2b(repr(ids).encode(), digest_size=8).digest())


def note_registered(s: State, key: bytes) -> None:
    """That is the claim key there.  Its secret is kept, whatever keys members make up meanwhile."""
    s.registered, pairs = key, s.setup.claims
    if pairs is None or s.in_use[0] == key:
        return
    for known in s.members.claim_keys:
        if pairs.public(known.secret) == key:
            s.in_use = key, known.secret


class Proving:
    def __init__(self, s: State) -> None:
        self._s = s
        self._since: tuple[bytes, Millis] = b"", 0  # the newest key, and when we saw it first

    def proved(self, request: Provable, *, exactly: bool = False) -> Provable:
        """The request with our signatures by all keys that may be registered; `exactly`: by the one
        that is, where it is ours.
        """
        s = self._s
        if (pairs := s.setup.claims) is None:
            return request
        request = self._about_owner(request)
        said = statement(request, s.setup.shows)
        keys = dict(self._keys())
        if exactly and s.registered is not None and s.registered in keys:
            proof = Proof(s.registered, pairs.sign(keys[s.registered], said))
            return replace(request, proofs=(proof,))
        proofs = [Proof(key, pairs.sign(secret, said)) for key, secret in keys.items()]
        if s.setup.sign is not None and s.members.decisions.order.owner == s.me:
            proofs.append(Proof(s.setup.identity, s.setup.sign(said)))
        return replace(request, proofs=tuple(proofs))

    def _keys(self) -> Iterator[tuple[bytes, bytes]]:
        """Both halves of each that may be registered."""
        s, pairs = self._s, self._s.setup.claims
        assert pairs is not None, "asked only where there are keys"
        if s.in_use[0]:
            yield s.in_use
        for key in s.members.claim_keys:
            yield pairs.public(key.secret), key.secret

    def _about_owner(self, request: Provable) -> Provable:
        if isinstance(request, Delete):
            return request  # It is no more to be owned by anybody.
        order, members = self._s.members.decisions.order, self._s.members
        owner = members.get(order.owner)
        identity = owner.identity if owner is not None else b""
        return replace(request, owner=identity, handovers=self._handed_over())

    def _handed_over(self) -> tuple[HandedOver, ...]:
        """How ownership went on, as the registry can look at it."""
        members, found = self._s.members, list[HandedOver]()
        for one in members.decisions.line:
            by, signature = members.get(one.by), in_value(one)
            if by is not None and len(signature) == SIGNATURE_BYTES:
                found.append(HandedOver(by.identity, one.person, signature))
        return tuple(found[-HAND_OVERS_MAX:])

    @property
    def newest(self) -> bytes:
        """The public half of the latest key; empty where there is none."""
        keys, pairs = self._s.members.claim_keys, self._s.setup.claims
        return pairs.public(keys[-1].secret) if keys and pairs is not None else b""

    # ---- who leads -----------------------------------------------------------------------------

    def fresh(self) -> Roster | None:
        """A new key for all to know, where there is none or somebody has gone since the latest."""
        s, keys, pairs = self._s, self._s.members.claim_keys, self._s.setup.claims
        if pairs is None or s.leaving or not self.pending:
            return None
        if keys and self.newest != s.registered:
            return None
        number, gone = keys[-1].number + 1 if keys else 1, gone_hash(s.members.gone)
        return Roster(claim_keys=(ClaimKey(number, pairs.draw(), gone),))

    def due(self) -> bytes:
        """The key that is to be registered: the latest once all have had time to hear of it and one
        has, until then the one that is.  Empty where that is none of ours.
        """
        s, newest, pairs = self._s, self.newest, self._s.setup.claims
        if newest != self._since[0]:
            self._since = newest, s.now
        if s.now - self._since[1] >= SPREAD_MS and self._is_shared():
            return newest
        return s.registered or b"" if pairs and s.registered in dict(self._keys()) else b""

    def _is_shared(self) -> bool:
        """May the latest key be registered though we should never be heard of again?"""
        s, since, agreed_at = self._s, self._since[1], self._s.liveness.agreed_at
        have_it = [member for member in s.others if agreed_at.get(member, -1) >= since]
        enough = s.active_others if s.now - since < PATIENCE_MS else have_it[:1]
        if set(enough) <= set(have_it) and (have_it or not s.others):
            return True
        return any(map(s.members.is_kicked, s.members.gone))

    @property
    def pending(self) -> bool:
        """Is a key to be made, or to be registered?"""
        s, keys = self._s, self._s.members.claim_keys
        if s.setup.claims is None or s.registered is None:
            return False
        has_parted = not keys or s.parted or keys[-1].gone != gone_hash(s.members.gone)
        return has_parted or self.newest != s.registered
