"""Rosters: who belongs, who is let in, and what the group says of itself.

`put_...` turns a value of the core into its protobuf, `get_...` does the reverse; see `facts`.
"""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

from node.codec.check import Check
from node.codec.facts import (
    check_card,
    check_decisions,
    get_fact,
    get_hlc,
    get_member,
    get_members,
    get_signature,
    put_fact,
    put_member,
)
from node.core.access import NO_PASSWORD, ClaimKey, Invite, Password, Terms
from node.core.deciding import Act, Decision
from node.core.messages import Fact, Roster
from node.limits import (
    ACCESS_MAX,
    CLAIM_KEY_BYTES,
    CLAIM_KEYS_MAX,
    DECISIONS_MAX,
    IDENTITY_BYTES,
    INVITES_MAX,
    PROOF_BYTES,
    ROSTER_MAX,
    SEED_BYTES,
    TOPIC_MAX,
    line_fault,
)
from p2pchat.v1 import common_pb2 as pb


def put_invite(invite: Invite) -> pb.InviteRecord:
    return pb.InviteRecord(
        id=invite.id,
        check=invite.check,
        by_id=invite.by,
        made_ms=invite.made,
        expires_ms=invite.expires,
        once=invite.once,
        revoked=invite.revoked,
        used_ids=invite.used,
        signature=invite.signature,
    )


def get_invite(p: pb.InviteRecord, check: Check, at: str) -> Invite:
    check.required(bool(p.id), f"{at}.id")
    if len(p.check) != PROOF_BYTES:
        check.fail(f"{at}.check", f"must be {PROOF_BYTES} bytes, not {len(p.check)}")
    used = get_members(p.used_ids, check, f"{at}.used_ids")
    if list(used) != sorted(set(used)):
        check.fail(f"{at}.used_ids", "must ascend")
    return Invite(
        p.id,
        p.check,
        check.number(p.by_id, f"{at}.by_id", low=1),
        check.number(p.made_ms, f"{at}.made_ms"),
        check.number(p.expires_ms, f"{at}.expires_ms"),
        p.once,
        p.revoked,
        used,
        get_signature(p.signature, check, f"{at}.signature"),
    )


def put_roster(roster: Roster) -> pb.Roster:
    return pb.Roster(
        members=map(put_member, roster.members),
        topic=put_fact(roster.topic),
        access=put_fact(roster.access),
        invites=map(put_invite, roster.invites),
        password=put_password(roster.password) if roster.password != NO_PASSWORD else None,
        decisions=map(put_decision, roster.decisions),
        claim_keys=map(put_claim_key, roster.claim_keys),
    )


def put_claim_key(key: ClaimKey) -> pb.ClaimKey:
    return pb.ClaimKey(number=key.number, secret=key.secret, gone_hash=key.gone)


def get_claim_key(p: pb.ClaimKey, check: Check, at: str) -> ClaimKey:
    if len(p.secret) != CLAIM_KEY_BYTES:
        check.fail(f"{at}.secret", f"must be {CLAIM_KEY_BYTES} bytes, not {len(p.secret)}")
    return ClaimKey(check.number(p.number, f"{at}.number", low=1), p.secret, p.gone_hash)


def put_decision(decision: Decision) -> pb.Decision:
    return pb.Decision(
        by_id=decision.by,
        act=pb.Act.ValueType(decision.act),
        hlc=pb.Hlc(ms=decision.hlc.ms, counter=decision.hlc.counter),
        whom_id=decision.whom,
        person=decision.person,
        value=decision.value,
        after=decision.after,
        signature=decision.signature,
    )


def get_decision(p: pb.Decision, check: Check, at: str) -> Decision:
    if len(p.person) not in (0, IDENTITY_BYTES):
        check.fail(f"{at}.person", f"must be {IDENTITY_BYTES} bytes or none, not {len(p.person)}")
    check.note(f"{at}.value", line_fault(p.value, TOPIC_MAX))
    after = tuple(p.after)
    if check.size(after, f"{at}.after", DECISIONS_MAX):
        check_decisions(after, check, f"{at}.after")
    return Decision(
        by=check.number(p.by_id, f"{at}.by_id", low=1),
        act=check.option(Act, p.act, f"{at}.act"),
        hlc=get_hlc(p.hlc, check, f"{at}.hlc"),
        whom=check.number(p.whom_id, f"{at}.whom_id"),
        person=p.person,
        value=p.value,
        after=after,
        signature=get_signature(p.signature, check, f"{at}.signature"),
    )


def put_password(password: Password) -> pb.PasswordRecord:
    terms = password.terms
    return pb.PasswordRecord(
        terms=put_terms(terms) if terms is not None else None,
        seed=password.seed,
        hlc=pb.Hlc(ms=password.hlc.ms, counter=password.hlc.counter),
        source_id=password.source,
    )


def put_terms(terms: Terms) -> pb.PasswordTerms:
    return pb.PasswordTerms(salt=terms.salt, log_n=terms.log_n, r=terms.r, p=terms.p)


def get_password(p: pb.PasswordRecord, check: Check, at: str) -> Password:
    """With terms that one would not compute with, or without one of terms and seed: refused."""
    if len(p.seed) != (SEED_BYTES if p.HasField("terms") else 0):
        must = f"must be {SEED_BYTES} bytes where there are terms, else none"
        check.fail(f"{at}.seed", f"{must}, not {len(p.seed)}")
    terms = get_terms(p.terms, check, f"{at}.terms") if p.HasField("terms") else None
    source = check.number(p.source_id, f"{at}.source_id", low=1)
    return Password(terms, p.seed, get_hlc(p.hlc, check, f"{at}.hlc"), source)


def get_terms(p: pb.PasswordTerms, check: Check, at: str) -> Terms:
    terms = Terms(p.salt, p.log_n, p.r, p.p)
    check.note(at, terms.fault)
    return terms


def get_roster(p: pb.Roster, check: Check) -> Roster:
    topic, access = Fact(), Fact()
    if p.HasField("topic"):
        topic = get_fact(p.topic, check, "roster.topic")
        check.note("roster.topic.value", line_fault(topic.value, TOPIC_MAX))
    if p.HasField("access"):
        access = get_fact(p.access, check, "roster.access")
        check.note("roster.access.value", line_fault(access.value, ACCESS_MAX))
    sizes = (
        check.size(p.invites, "roster.invites", INVITES_MAX),
        check.size(p.members, "roster.members", ROSTER_MAX),
        check.size(p.decisions, "roster.decisions", DECISIONS_MAX),
        check.size(p.claim_keys, "roster.claim_keys", CLAIM_KEYS_MAX),
    )
    if not all(sizes):
        return Roster()
    invites = check.each(get_invite, p.invites, "roster.invites")
    check_order([one.id for one in invites], check, "roster.invites[%d].id")
    members = check.each(get_member, p.members, "roster.members")
    check_order([one.id for one in members], check, "roster.members[%d].member_id")
    password = NO_PASSWORD
    if p.HasField("password"):
        password = get_password(p.password, check, "roster.password")
    decisions = check.each(get_decision, p.decisions, "roster.decisions")
    keys = check.each(get_claim_key, p.claim_keys, "roster.claim_keys")
    if [key.number for key in keys] != sorted(key.number for key in keys):
        check.fail("roster.claim_keys", "must ascend")
    for i, member in enumerate(members):
        check_card(member, check, f"roster.members[{i}].")
    return Roster(members, topic, access, invites, password, decisions, keys)


def check_order(ids: list[int], check: Check, at: str) -> None:
    """Takes down which of them does not ascend; `at` has a place for its index."""
    for i in range(1, len(ids)):
        if check.is_full:
            break
        if ids[i - 1] >= ids[i]:
            check.fail(at % i, "must be above the one before it")
