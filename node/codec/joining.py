"""Joining, leaving and the exchange of rosters: each request and reply, both ways."""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

from node.codec import facts, rosters
from node.codec.check import Check
from node.core import messages as core
from node.core.access import Challenge, Knows
from node.limits import (
    CERTIFICATE_MAX,
    CHAT_MAX,
    ELEMENT_BYTES,
    IDENTITY_BYTES,
    PROOF_BYTES,
    ROSTER_MAX,
    SIGNATURE_BYTES,
    name_fault,
    nick_fault,
)
from p2pchat.v1 import common_pb2
from p2pchat.v1 import node_pb2 as pb


def put_join(join: core.Join) -> pb.JoinNetworkRequest:
    return pb.JoinNetworkRequest(
        caller=facts.put_caller(join.caller),
        name=join.name,
        identity=join.identity,
        nick=join.nick,
        address=join.address,
        process=join.process,
        left_ids=join.left_ids,
        farewells=join.farewells,
        mode=common_pb2.Mode.ValueType(join.mode),
        card=facts.put_card(join.card),
        word=join.word,
        invite_id=join.invite,
        proof=join.proof,
        password=put_knows(join.knows) if join.knows is not None else None,
    )


def put_knows(knows: Knows) -> pb.PasswordStep:
    return pb.PasswordStep(element=knows.element, session=knows.session, proof=knows.proof)


def get_join(p: pb.JoinNetworkRequest, check: Check) -> core.Join:
    check.required(p.HasField("caller"), "caller")
    if p.name:
        check.note("name", name_fault(p.name))
    elif not p.caller.chat_id:
        check.fail("name", "is required where caller.chat_id is 0")
    if len(p.identity) != IDENTITY_BYTES:
        check.fail("identity", f"must be {IDENTITY_BYTES} bytes, not {len(p.identity)}")
    check.note("nick", nick_fault(p.nick))
    chat = check.number(p.caller.chat_id, "caller.chat_id", high=CHAT_MAX)
    join = core.Join(
        caller=facts.get_caller(p.caller, check, member=False, chat=chat),
        name=p.name,
        identity=p.identity,
        nick=p.nick,
        address=check.address(p.address, "address", required=True),
        process=p.process,
        left_ids=_get_left(p, check),
        farewells=_get_farewells(p, check),
        mode=facts.get_mode(p.mode, check, "mode"),
        card=facts.get_card(p),
        word=facts.get_signature(p.word, check, "word"),
        invite=p.invite_id,
        proof=_get_proof(p.proof, check),
        knows=_get_knows(p.password, check) if p.HasField("password") else None,
    )
    facts.check_card(join, check)
    return join


def _get_left(p: pb.JoinNetworkRequest, check: Check) -> tuple[int, ...]:
    left = facts.get_members(p.left_ids, check, "left_ids")
    if len(set(left)) != len(left):  # Each costs whoever lets in a signature.
        check.fail("left_ids", "must be different ones")
    return left


def _get_farewells(p: pb.JoinNetworkRequest, check: Check) -> tuple[bytes, ...]:
    if not p.farewells:
        return ()
    if len(p.farewells) != len(p.left_ids):
        check.fail("farewells", f"must have {len(p.left_ids)} entries, as left_ids has, or none")
    if not check.size(p.farewells, "farewells", ROSTER_MAX):
        return ()
    return check.each(_get_farewell, p.farewells, "farewells")


def _get_farewell(word: bytes, check: Check, at: str) -> bytes:
    if len(word) != SIGNATURE_BYTES:
        check.fail(at, f"must be {SIGNATURE_BYTES} bytes, not {len(word)}")
    return word


def _get_knows(p: pb.PasswordStep, check: Check) -> Knows:
    _check_element(p.element, check, "password.element", least=0)
    if len(p.proof) not in (0, PROOF_BYTES):
        fault = f"must be {PROOF_BYTES} bytes, or none, not {len(p.proof)}"
        check.fail("password.proof", fault)
    if bool(p.session) != bool(p.proof):
        check.fail("password.session", "goes with password.proof")
    if p.element and p.proof:
        check.fail("password.element", "must be none where there is a proof")
    return Knows(p.element, p.session, p.proof)


def _check_element(element: bytes, check: Check, at: str, least: int = ELEMENT_BYTES) -> None:
    if len(element) not in (least, ELEMENT_BYTES):
        none = "" if least else ", or none"
        check.fail(at, f"must be {ELEMENT_BYTES} bytes{none}, not {len(element)}")


def put_entry(entry: core.Entry) -> pb.JoinNetworkResponse:
    if isinstance(entry, Challenge):
        return pb.JoinNetworkResponse(session=entry.session, element=entry.element)
    return put_welcome(entry)


def get_entry(p: pb.JoinNetworkResponse, check: Check) -> core.Entry:
    if not p.session:
        return get_welcome(p, check)
    _check_element(p.element, check, "element")
    return Challenge(p.session, p.element)


def put_welcome(welcome: core.Welcome) -> pb.JoinNetworkResponse:
    return pb.JoinNetworkResponse(
        member_id=welcome.member,
        roster=rosters.put_roster(welcome.roster),
        view=facts.put_view(welcome.view),
        chat_id=welcome.chat,
        name=welcome.name,
        mode=common_pb2.Mode.ValueType(welcome.mode),
        created_ms=welcome.created,
        nds_address=welcome.nds,
        proof=welcome.proof,
        service=welcome.service,
    )


def get_welcome(p: pb.JoinNetworkResponse, check: Check) -> core.Welcome:
    check.note("name", name_fault(p.name))
    return core.Welcome(
        member=check.number(p.member_id, "member_id", low=1),
        roster=rosters.get_roster(p.roster, check),
        view=facts.get_required_view(p, check),
        chat=check.number(p.chat_id, "chat_id", low=1, high=CHAT_MAX),
        name=p.name,
        mode=facts.get_mode(p.mode, check, "mode"),
        created=check.number(p.created_ms, "created_ms"),
        nds=check.address(p.nds_address, "nds_address"),
        proof=_get_proof(p.proof, check),
        service=_get_service(p.service, check),
    )


def _get_service(certificate: bytes, check: Check) -> bytes:
    if len(certificate) > CERTIFICATE_MAX:
        check.fail("service", f"must be at most {CERTIFICATE_MAX} bytes, not {len(certificate)}")
    return certificate


def _get_proof(proof: bytes, check: Check) -> bytes:
    if len(proof) not in (0, PROOF_BYTES):
        check.fail("proof", f"must be {PROOF_BYTES} bytes, or none, not {len(proof)}")
    return proof


def put_leave(leave: core.Leave) -> pb.LeaveNetworkRequest:
    return pb.LeaveNetworkRequest(
        caller=facts.put_caller(leave.caller), record=facts.put_member(leave.record)
    )


def get_leave(p: pb.LeaveNetworkRequest, check: Check) -> core.Leave:
    caller = facts.get_required_caller(p, check)
    if not check.required(p.HasField("record"), "record"):
        check.done()
    record = facts.get_member(p.record, check, "record")
    facts.check_card(record, check, "record.")
    return core.Leave(caller, record)


def put_leave_noted(noted: core.LeaveNoted) -> pb.LeaveNetworkResponse:
    return pb.LeaveNetworkResponse(view=facts.put_view(noted.view))


def get_leave_noted(p: pb.LeaveNetworkResponse, check: Check) -> core.LeaveNoted:
    return core.LeaveNoted(facts.get_required_view(p, check))


def put_update(update: core.Update) -> pb.UpdateMembersRequest:
    return pb.UpdateMembersRequest(
        caller=facts.put_caller(update.caller),
        roster=rosters.put_roster(update.roster),
        want_roster=update.want_roster,
        known=_put_known(update.known) if update.known is not None else None,
    )


def _put_known(known: core.Known) -> pb.KnownRoster:
    return pb.KnownRoster(
        member_ids=[id for id, _ in known.records],
        hashes=[hash for _, hash in known.records],
        common_hash=known.common,
    )


def get_update(p: pb.UpdateMembersRequest, check: Check) -> core.Update:
    caller = facts.get_required_caller(p, check)
    known = _get_known(p.known, check) if p.HasField("known") else None
    return core.Update(caller, rosters.get_roster(p.roster, check), p.want_roster, known)


def _get_known(p: pb.KnownRoster, check: Check) -> core.Known:
    if not check.size(p.member_ids, "known.member_ids", ROSTER_MAX):
        return core.Known((), 0)
    ids, hashes = p.member_ids, p.hashes
    rosters.check_order(list(ids), check, "known.member_ids[%d]")
    if len(hashes) != len(ids):
        check.fail("known.hashes", f"must be as many as member_ids, {len(ids)}, not {len(hashes)}")
        return core.Known((), 0)
    return core.Known(tuple(zip(ids, hashes, strict=True)), p.common_hash)


def put_updated(updated: core.Updated) -> pb.UpdateMembersResponse:
    return pb.UpdateMembersResponse(
        roster=rosters.put_roster(updated.roster),
        view=facts.put_view(updated.view),
        wanted_ids=updated.wanted,
        wants_common=updated.wants_common,
    )


def get_updated(p: pb.UpdateMembersResponse, check: Check) -> core.Updated:
    roster, view = rosters.get_roster(p.roster, check), facts.get_required_view(p, check)
    wanted = p.wanted_ids if check.size(p.wanted_ids, "wanted_ids", ROSTER_MAX) else ()
    return core.Updated(roster, view, tuple(wanted), p.wants_common)
