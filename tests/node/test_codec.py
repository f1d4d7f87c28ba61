"""Tries node/codec: what goes out comes back the same, and what is malformed is named."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.codec import METHODS, NDS_METHODS, Create, Malformed, Method, facts, method_of
from node.codec.check import Check
from node.codec.rosters import get_decision
from node.core import messages as core
from node.core.reasons import Reason
from node.core.types import Epoch
from node.limits import Limits
from node.trust.cards import fault as card_fault
from p2pchat.v1 import common_pb2, nds_pb2, node_pb2
from tests.node import wire_values as values
from tests.node.wire_values import CALLER, EXAMPLES, REPLIES, TELL

LIMITS = Limits()


def name_of(value: Any) -> str:
    return type(value).__name__


def faults(request: core.Request, spoil: Any, limits: Limits = LIMITS) -> dict[str, str]:
    """The violations found in `request` once `spoil` has had its protobuf."""
    method = method_of(request)
    message = method.put_request(request)
    spoil(message)
    with pytest.raises(Malformed) as caught:
        method.read_request(message.SerializeToString(), limits)
    return dict(caught.value.violations)


# ---- there and back ----------------------------------------------------------------------------


@given(values.requests)
def test_a_request_comes_back_as_it_went(request: core.Request) -> None:
    method = method_of(request)
    assert method.read_request(method.write_request(request), LIMITS) == request


@given(values.replies)
def test_a_reply_comes_back_as_it_went(reply: core.Reply) -> None:
    kind = next(kind for kind, answer in values.ANSWER_OF.items() if isinstance(reply, answer))
    method = METHODS[kind]
    assert method.read_reply(method.write_reply(reply), LIMITS) == reply


def test_every_request_has_its_method() -> None:
    assert {type(example) for example in EXAMPLES} == set(METHODS)
    service = node_pb2.DESCRIPTOR.services_by_name["Node"]
    named = {method.name for method in METHODS.values()}
    assert named == {m.name for m in service.methods} - {"Link"}, "which carries the others"
    for method in METHODS.values():
        declared = service.methods_by_name[method.name]
        assert method.request.DESCRIPTOR is declared.input_type
        assert method.reply.DESCRIPTOR is declared.output_type


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_every_field_of_a_request_is_carried(example: core.Request) -> None:
    message = method_of(example).put_request(example)
    unset = {field.name for field in message.DESCRIPTOR.fields} - {
        field.name for field, _ in message.ListFields()
    }
    assert unset - {"sealed", "secrets"} == set()  # which stand in place of others


def test_a_leader_may_hand_over_and_stay() -> None:
    elect = core.Elect(values.CALLER, values.VIEW, hand_over=True)
    method = method_of(elect)
    assert method.read_request(method.write_request(elect), LIMITS) == elect


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_every_field_of_a_reply_is_carried(kind: type) -> None:
    """By one of the examples at least: one call has two kinds of answers."""
    replies = [reply for reply in REPLIES if isinstance(reply, values.ANSWER_OF[kind])]
    messages = [METHODS[kind].put_reply(reply) for reply in replies]
    carried = {field.name for message in messages for field, _ in message.ListFields()}
    fields = {field.name for field in messages[0].DESCRIPTOR.fields}
    assert carried == fields - {"sealed", "secrets"}


def _step(message: Any, **fields: Any) -> None:
    message.password.Clear()
    for name, value in fields.items():
        setattr(message.password, name, value)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"element": b"e" * 32}, "password.element"),
        ({"session": 5}, "password.session"),
        ({"proof": b"p" * 32}, "password.session"),
        ({"session": 5, "proof": b"p" * 31}, "password.proof"),
        ({"session": 5, "proof": b"p" * 32, "element": b"e" * 33}, "password.element"),
    ],
)
def test_a_step_of_who_comes_by_a_password_is_one_or_is_named(
    fields: dict[str, Any], named: str
) -> None:
    assert list(faults(values.JOIN, lambda message: _step(message, **fields))) == [named]


@pytest.mark.parametrize(
    ("spoil", "named", "said"),
    [
        (lambda p: p.ClearField("seed"), "seed", "must be 32 bytes where there are terms"),
        (lambda p: p.ClearField("terms"), "seed", "else none, not 32"),
        (lambda p: setattr(p.terms, "log_n", 30), "terms", "N = 2^14 to 2^17"),
        (lambda p: setattr(p.terms, "salt", b"s"), "terms", "the salt must be 16 bytes"),
        (lambda p: p.ClearField("source_id"), "source_id", ""),
        (lambda p: setattr(p.hlc, "ms", 2**50), "hlc.ms", ""),
    ],
)
def test_a_password_that_nobody_would_compute_with_is_refused(
    spoil: Any, named: str, said: str
) -> None:
    update = core.Update(values.CALLER, values.ROSTER)
    found = faults(update, lambda message: spoil(message.roster.password))
    assert said in found[f"roster.password.{named}"]


def test_an_element_of_the_wrong_size_is_no_challenge() -> None:
    method = METHODS[core.Join]
    message = node_pb2.JoinNetworkResponse(session=7, element=b"e" * 32)
    with pytest.raises(Malformed, match="element"):
        method.read_reply(message.SerializeToString(), LIMITS)


def test_the_chat_message_of_a_call_says_no_build() -> None:
    assert not method_of(TELL).put_request(TELL).caller.build  # type: ignore[attr-defined]
    ping = core.Ping(values.CALLER, None)
    assert method_of(ping).put_request(ping).caller.build.startswith("p2pchat")  # type: ignore[attr-defined]


# ---- what is missing ---------------------------------------------------------------------------

REQUIRED = [
    (core.Join, "identity", "identity"),
    (core.Join, "nick", "nick"),
    (core.Join, "address", "address"),
    (core.Join, "caller", "caller"),
    (core.Leave, "caller", "caller"),
    (core.Leave, "record", "record"),
    (core.Update, "caller", "caller"),
    (core.Ping, "caller", "caller"),
    (core.Elect, "caller", "caller"),
    (core.Elect, "view", "view"),
    (core.Coordinator, "caller", "caller"),
    (core.Coordinator, "view", "view"),
    (core.Tell, "chat_id", "chat_id"),
    (core.Tell, "msg_id", "msg_id"),
    (core.Tell, "source_id", "source_id"),
    (core.Tell, "destination_id", "destination_id"),
    (core.Tell, "msg", "msg"),
    (core.Tell, "header", "header"),
    (core.Tell, "caller", "caller"),
    (core.Sync, "caller", "caller"),
    (core.Sync, "view", "view"),
]


@pytest.mark.parametrize(("kind", "field", "named"), REQUIRED)
def test_a_missing_field_is_named(kind: type, field: str, named: str) -> None:
    example = next(example for example in EXAMPLES if isinstance(example, kind))
    assert named in faults(example, lambda message: message.ClearField(field))


@pytest.mark.parametrize("kind", [kind for kind in METHODS if kind is not core.Join])
def test_the_chat_of_the_caller_is_required(kind: type) -> None:
    example = next(example for example in EXAMPLES if isinstance(example, kind))

    def spoil(message: Any) -> None:
        message.caller.ClearField("chat_id")
        if isinstance(message, node_pb2.MessageRequest):
            message.ClearField("chat_id")

    found = faults(example, spoil)
    assert any(field.endswith("chat_id") and "is required" in found[field] for field in found)


@pytest.mark.parametrize("kind", [kind for kind in METHODS if kind not in (core.Join, core.Ping)])
def test_only_members_may_call(kind: type) -> None:
    example = next(example for example in EXAMPLES if isinstance(example, kind))
    assert "caller.node_id" in faults(example, lambda m: m.caller.ClearField("node_id"))


def test_one_answer_names_all_that_is_missing() -> None:
    with pytest.raises(Malformed) as caught:
        METHODS[core.Tell].read_request(b"", LIMITS)
    named = {field for field, _ in caught.value.violations}
    assert named >= {"chat_id", "caller", "header", "msg", "msg_id", "source_id", "destination_id"}


# ---- what is out of bounds ---------------------------------------------------------------------


def header(message: Any) -> common_pb2.Header:
    return message.header  # type: ignore[no-any-return]


BOUNDS: list[tuple[type, str, Any, str, str]] = [
    (core.Tell, "text", lambda m: setattr(m, "msg", "x" * 16_385), "msg", "16384 bytes, not 16385"),
    (core.Tell, "id", lambda m: setattr(m, "msg_id", "1"), "msg_id", "36 characters"),
    (core.Tell, "id", lambda m: setattr(m, "msg_id", values.ID + "\n"), "msg_id", "36 characters"),
    (core.Tell, "chat", lambda m: setattr(m, "chat_id", 2**63), "chat_id", str(2**63 - 1)),
    (core.Tell, "other", lambda m: setattr(m.caller, "chat_id", 8), "caller.chat_id", "not 8"),
    (core.Tell, "member", lambda m: setattr(m, "source_id", 2**53), "source_id", str(2**53 - 1)),
    (core.Tell, "to", lambda m: setattr(m, "destination_id", 2**53), "destination_id", "not"),
    (core.Tell, "kind", lambda m: setattr(header(m), "kind", 9), "header.kind", "TEXT (1)"),
    (core.Tell, "seq", lambda m: setattr(header(m), "seq", 0), "header.seq", "is required"),
    (core.Tell, "seq", lambda m: setattr(header(m), "seq", 2**53), "header.seq", "must be 1 to"),
    (core.Tell, "ms", lambda m: setattr(header(m).hlc, "ms", 2**43), "header.hlc.ms", "not"),
    (
        core.Tell,
        "n",
        lambda m: setattr(header(m).hlc, "counter", 65_536),
        "header.hlc.counter",
        "65535",
    ),
    (
        core.Tell,
        "deps",
        lambda m: header(m).deps.extend(list(header(m).deps) * 512),
        "header.deps",
        "512",
    ),
    (
        core.Tell,
        "dep",
        lambda m: setattr(header(m).deps[0], "seq", 0),
        "header.deps[0].seq",
        "required",
    ),
    (core.Tell, "sent", lambda m: setattr(header(m), "sent_ms", 2**53), "header.sent_ms", "not"),
    (core.Tell, "e", lambda m: setattr(header(m).epoch, "n", 2**53), "header.epoch.n", "not"),
    (
        core.Tell,
        "stream",
        lambda m: header(m).ClearField("stream"),
        "header.stream.incarnation",
        "is required",
    ),
    (core.Tell, "hlc", lambda m: header(m).ClearField("hlc"), "header.hlc", "is required"),
    (
        core.Tell,
        "inc",
        lambda m: setattr(m.caller, "incarnation", 2**53),
        "caller.incarnation",
        "not",
    ),
    (core.Join, "key", lambda m: setattr(m, "identity", b"x" * 31), "identity", "32 bytes, not 31"),
    (core.Join, "card", lambda m: setattr(m, "identity", b"x" * 32), "card", "not signed by"),
    (core.Join, "seal", lambda m: setattr(m.card, "seal_key", b"x"), "card", "32 bytes, not 1"),
    (
        core.Leave,
        "card",
        lambda m: setattr(m.record.card, "signature", b"x" * 64),
        "record.card",
        "not signed by the identity",
    ),
    (core.Join, "nick", lambda m: setattr(m, "nick", "x" * 25), "nick", "1 to 24"),
    (core.Join, "nick", lambda m: setattr(m, "nick", "a\x1b"), "nick", "U+001B"),
    (core.Join, "name", lambda m: setattr(m, "name", "x" * 65), "name", "1 to 64"),
    (core.Join, "port", lambda m: setattr(m, "address", "h:0"), "address", "1 to 65535"),
    (core.Join, "host", lambda m: setattr(m, "address", "h" * 256 + ":1"), "address", "255"),
    (core.Join, "left", lambda m: m.left_ids.__setitem__(0, 0), "left_ids[0]", "is required"),
    (
        core.Join,
        "word",
        lambda m: m.farewells.append(b"f" * 64),
        "farewells",
        "must have 1 entries",
    ),
    (
        core.Join,
        "twice",
        lambda m: (m.left_ids.append(m.left_ids[0]), m.farewells.append(m.farewells[0])),
        "left_ids",
        "must be different ones",
    ),
    (core.Join, "short", lambda m: m.farewells.__setitem__(0, b"f"), "farewells[0]", "not 1"),
    *(
        (
            core.Leave,
            f"short {word}",
            lambda m, word=word: setattr(m.record, word, b"s" * 63),
            f"record.{word}",
            "must be 64 bytes, or none, not 63",
        )
        for word in ("admission", "affirmation")
    ),
    *(
        (
            core.Leave,
            f"ids {name}",
            lambda m, name=name, value=value: setattr(m.record.issued, name, value),
            f"record.issued.{name}",
            why,
        )
        for name, value, why in (
            ("first", 0, "1 to"),
            ("first", 2**53 - 8, f"1 to {2**53 - 9}"),
            ("count", 65, "0 to 64"),
            ("signature", b"s" * 73, "must be at most 72 bytes, not 73"),
        )
    ),
    (
        core.Leave,
        "key",
        lambda m: setattr(m.record, "identity", b""),
        "record.identity",
        "32 bytes",
    ),
    (core.Leave, "life", lambda m: setattr(m.record, "life", 0), "record.life", "ALIVE (1)"),
    (
        core.Leave,
        "away",
        lambda m: setattr(m.record.away, "value", "x" * 201),
        "record.away.value",
        "200",
    ),
    (
        core.Leave,
        "ends",
        lambda m: setattr(m.record.ends[0], "seq", 0),
        "record.ends[0].seq",
        "required",
    ),
    (
        core.Update,
        "topic",
        lambda m: setattr(m.roster.topic, "value", "x" * 301),
        "roster.topic.value",
        "300",
    ),
    (
        core.Update,
        "order",
        lambda m: m.roster.members.append(m.roster.members[0]),
        "roster.members[2].member_id",
        "above",
    ),
    (
        core.Update,
        "many",
        lambda m: m.roster.members.extend([m.roster.members[0]] * 4_096),
        "roster.members",
        "4096",
    ),
    (core.Elect, "n", lambda m: setattr(m.view, "highest_n", 10**6), "view.highest_n", "999999"),
    (
        core.Elect,
        "address",
        lambda m: setattr(m.view, "leader_address", "x"),
        "view.leader_address",
        "HOST",
    ),
    (core.Update, "hashes", lambda m: m.known.hashes.append(1), "known.hashes", "as many"),
    (
        core.Update,
        "known",
        lambda m: m.known.MergeFrom(
            node_pb2.KnownRoster(member_ids=range(2_000_000, 2_004_096), hashes=[1] * 4_096)
        ),
        "known.member_ids",
        "4096",
    ),
    (
        core.Update,
        "order",
        lambda m: m.known.MergeFrom(node_pb2.KnownRoster(member_ids=[1], hashes=[1])),
        "known.member_ids[2]",
        "above",
    ),
    (core.Sync, "digests", lambda m: m.digests.extend([m.digests[0]] * 4_096), "digests", "4096"),
    (core.Sync, "held", lambda m: m.held.extend([m.held[0]] * 16_384), "held", "16384"),
    (core.Sync, "order", lambda m: setattr(m.held[0], "first", 10), "held[0].last", "must be 10"),
    (core.Sync, "floors", lambda m: m.floors.extend([m.floors[0]] * 4_096), "floors", "4096"),
    (core.Sync, "mark", lambda m: setattr(m.floors[0], "seq", 0), "floors[0].seq", "1 to"),
    (core.Sync, "holes", lambda m: m.holes.extend([m.holes[0]] * 4_096), "holes", "4096"),
    (core.Sync, "wanted", lambda m: setattr(m.wanted[0], "seq", 0), "wanted[0].seq", "1 to"),
    (core.Sync, "sources", lambda m: m.sources.extend([5] * 4_096), "sources", "4096"),
]


@pytest.mark.parametrize(
    ("kind", "spoil", "field", "said"),
    [
        pytest.param(kind, spoil, field, said, id=f"{field}-{what}")
        for kind, what, spoil, field, said in BOUNDS
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_limit(
    kind: type, spoil: Any, field: str, said: str
) -> None:
    example = next(example for example in EXAMPLES if isinstance(example, kind))
    found = faults(example, spoil)
    assert set(found) == {field}
    assert said in found[field]


def test_the_limit_of_a_text_may_be_set() -> None:
    method = method_of(TELL)
    message = method.put_request(TELL)
    message.msg = "x" * 20_000  # type: ignore[attr-defined]
    assert method.read_request(message.SerializeToString(), Limits(20_000))


def test_a_few_violations_are_enough() -> None:
    def spoil(message: Any) -> None:
        message.sources.extend([0] * 1_000)

    sync = next(example for example in EXAMPLES if isinstance(example, core.Sync))
    assert len(faults(sync, spoil)) == 16


@pytest.mark.parametrize("field", ["held", "floors", "digests", "wanted"])
def test_once_that_many_are_wrong_the_others_are_not_read(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To say what is wrong costs many times what it costs to read it."""
    said = list[str]()
    fail = Check.fail
    monkeypatch.setattr(Check, "fail", lambda *args: (said.append(args[1]), fail(*args)))
    sync = next(example for example in EXAMPLES if isinstance(example, core.Sync))
    faults(sync, lambda message: [getattr(message, field).add() for _ in range(4_000)])
    assert len(said) < 40


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[core.Card]:
    """Of which cards the signature was looked at."""
    cards = list[core.Card]()

    def fault(identity: bytes, card: core.Card) -> str:
        cards.append(card)
        return card_fault(identity, card)

    monkeypatch.setattr(facts, "card_fault", fault)
    return cards


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda records: setattr(records[7], "address", ""), "roster.members[7].address"),
        (lambda records: setattr(records[9], "member_id", 1), "roster.members[9].member_id"),
        (lambda records: [records.add() for _ in range(4_096)], "roster.members"),
        (lambda records: setattr(records[5], "identity", b""), "roster.members[5].identity"),
    ],
    ids=["field", "order", "size", "identity"],
)
def test_no_signature_is_looked_at_where_the_form_is_wrong(
    spoil: Any, field: str, looked_at: list[core.Card]
) -> None:
    found = faults(core.Update(CALLER, core.Roster()), lambda message: spoil(_crowd(message)))
    assert field in found
    assert not looked_at


def test_after_the_first_bad_signature_no_other_is_looked_at(looked_at: list[core.Card]) -> None:
    found = faults(core.Update(CALLER, core.Roster()), _crowd)
    assert found == {"roster.members[0].card": "it is not signed by the identity"}
    assert len(looked_at) == 1


def _crowd(message: Any) -> Any:
    """Ten, none of whose cards is signed."""
    for number in range(1, 11):
        record = facts.put_member(replace(values.RECORD, id=number))
        record.card.signature = number.to_bytes(64)
        message.roster.members.append(record)
    return message.roster.members


@pytest.mark.parametrize("kind", [core.Join, core.Leave])
def test_nor_is_it_in_other_calls(kind: type, looked_at: list[core.Card]) -> None:
    def spoil(message: Any) -> None:
        said = message.record if kind is core.Leave else message
        said.identity, said.address = values.RECORD.identity, ""
        said.card.CopyFrom(facts.put_card(values.RECORD.card))

    faults(next(one for one in EXAMPLES if isinstance(one, kind)), spoil)
    assert not looked_at


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_noise_is_no_message(method: Method) -> None:
    with pytest.raises(Malformed, match=re.escape(method.request.DESCRIPTOR.full_name)):
        method.read_request(b"\xff\xfe\xfd", LIMITS)


@given(st.binary(max_size=200))
def test_noise_raises_nothing_else(payload: bytes) -> None:
    found = []
    for method in METHODS.values():
        for read in (method.read_request, method.read_reply):
            try:
                read(payload, LIMITS)  # type: ignore[operator]
            except Malformed as malformed:
                found.append(malformed.violations)
    assert all(found)


@given(values.requests, st.data())
def test_a_damaged_request_raises_nothing_else(request: core.Request, data: st.DataObject) -> None:
    method = method_of(request)
    payload = bytearray(method.write_request(request))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    found: tuple[tuple[str, str], ...] = (("", "none"),)
    try:
        method.read_request(bytes(payload), LIMITS)
    except Malformed as malformed:
        found = malformed.violations
    assert found


# ---- what is allowed ---------------------------------------------------------------------------


def test_an_id_in_capitals_is_taken_in_small_letters() -> None:
    message = method_of(TELL).put_request(TELL)
    message.msg_id = values.ID.upper()  # type: ignore[attr-defined]
    assert method_of(TELL).read_request(message.SerializeToString(), LIMITS) == TELL


def test_kind_and_mode_not_said_are_the_usual_ones() -> None:
    message = method_of(TELL).put_request(TELL)
    message.header.kind = 0  # type: ignore[attr-defined]
    assert method_of(TELL).read_request(message.SerializeToString(), LIMITS) == TELL


def test_a_text_may_have_control_characters() -> None:
    message = method_of(TELL).put_request(TELL)
    message.msg = "\x1b[2J\n\u202e"  # type: ignore[attr-defined]
    read = method_of(TELL).read_request(message.SerializeToString(), LIMITS)
    assert isinstance(read, core.Tell)
    assert read.messages[0].texts[0] == "\x1b[2J\n\u202e"


# ---- the discovery service ---------------------------------------------------------------------


def nds_reply(request: type, reply: Any) -> Any:
    return NDS_METHODS[request].read_reply(reply.SerializeToString())


INFORMATION = nds_pb2.NetworkInformation(
    chat_id=7,
    name="tea",
    epoch=common_pb2.Epoch(generation=1_700_000_000, n=3),
    leader_id=1_000_001,
    leader_address="127.0.0.1:5001",
    claim_key=b"k" * 32,
)


HANDED_OVER = core.HandedOver(b"b" * 32, b"c" * 32, b"h" * 64)


def test_a_claim_carries_all_that_the_claimant_knows() -> None:
    speaks = b"k" * 32, b"o" * 32, (core.Proof(b"k" * 32, b"s" * 64),)
    rest = (1, 2), 3, True, values.FACTS, *speaks, (values.DECISION,), (HANDED_OVER,)
    claim = core.Claim(7, 1_000_002, "h:2000", values.EPOCH, 5, *rest)
    sent = nds_pb2.UpdateLeaderRequest.FromString(NDS_METHODS[core.Claim].write_request(claim))
    assert {field.name for field, _ in sent.ListFields()} == {
        f.name for f in sent.DESCRIPTOR.fields
    }
    assert {f.name for f, _ in sent.facts.ListFields()} == {
        f.name for f in sent.facts.DESCRIPTOR.fields
    }
    assert sent.proofs[0] == nds_pb2.ClaimProof(key=b"k" * 32, signature=b"s" * 64)
    check = Check(Limits())
    assert get_decision(sent.removals[0], check, "") == values.DECISION
    by, owner, signature = HANDED_OVER
    assert list(sent.handovers) == [nds_pb2.HandOver(by=by, owner=owner, signature=signature)]


def test_a_renewal_carries_all_that_the_leader_knows() -> None:
    speaks = b"k" * 32, b"o" * 32, (core.Proof(b"k" * 32, b"s" * 64),)
    rest = values.EPOCH, "h:2000", True, values.FACTS, *speaks, (HANDED_OVER,)
    renew = core.Renew(7, 1_000_002, *rest)
    sent = nds_pb2.RenewRequest.FromString(NDS_METHODS[core.Renew].write_request(renew))
    assert {field.name for field, _ in sent.ListFields()} == {
        f.name for f in sent.DESCRIPTOR.fields
    }


def test_the_end_of_a_network_carries_its_proofs_and_a_new_one_its_keys() -> None:
    proofs = (core.Proof(b"k" * 32, b"s" * 64),)
    method = NDS_METHODS[core.Delete]
    ended = method.write_request(core.Delete(7, values.EPOCH, proofs))
    sent = nds_pb2.DeleteNetworkRequest.FromString(ended)
    assert (sent.chat_id, sent.epoch.n, len(sent.proofs)) == (7, values.EPOCH.n, 1)
    create = Create(values.ID, "tea", "h:2000", 2, b"k" * 32, b"o" * 32)
    made = nds_pb2.CreateNetworkRequest.FromString(NDS_METHODS[Create].write_request(create))
    assert {f.name for f, _ in made.ListFields()} == {f.name for f in made.DESCRIPTOR.fields}
    assert (made.claim_key, made.owner) == (b"k" * 32, b"o" * 32)


def test_a_registry_that_names_half_a_claim_key_has_said_nothing() -> None:
    half = nds_pb2.NetworkInformation()
    half.CopyFrom(INFORMATION)
    half.claim_key = b"k" * 31
    with pytest.raises(Malformed, match="must be 32 bytes or none, not 31"):
        nds_reply(core.Renew, nds_pb2.RenewResponse(network=half))


def test_the_registry_answers_with_the_record() -> None:
    epoch, key = Epoch(1_700_000_000, 3), b"k" * 32
    record = core.Record(7, "tea", epoch, 1_000_001, "127.0.0.1:5001", claim_key=key)
    ids = common_pb2.IdBlock(first=1_000_005, count=8, signature=b"s" * 70)
    block = values.IdBlock(1_000_005, 8, b"s" * 70)
    grant = nds_pb2.UpdateLeaderResponse(network=INFORMATION, ids=ids)
    assert nds_reply(core.Claim, grant) == core.Granted(record, block)
    page = nds_pb2.GetNetworkInformationResponse(networks=[INFORMATION])
    assert nds_reply(core.Lookup, page) == core.RecordRead(record)
    assert nds_reply(core.Renew, nds_pb2.RenewResponse(network=INFORMATION)) == core.RecordRead(
        record
    )
    more = nds_pb2.RenewResponse(network=INFORMATION, ids=ids)
    assert nds_reply(core.Renew, more).ids == block
    assert nds_reply(core.Delete, nds_pb2.DeleteNetworkResponse()) == core.Deleted()


def test_no_record_in_the_answer_means_an_unknown_network() -> None:
    answer = nds_reply(core.Lookup, nds_pb2.GetNetworkInformationResponse())
    assert answer.reason == Reason.UNKNOWN_NETWORK


def test_more_records_than_there_can_be_are_wanted_by_nobody() -> None:
    reply = node_pb2.UpdateMembersResponse(wanted_ids=[1] * 4_097)
    with pytest.raises(Malformed, match="wanted_ids must have at most 4096"):
        METHODS[core.Update].read_reply(reply.SerializeToString(), LIMITS)


def test_a_registry_that_answers_nonsense_is_found_out() -> None:
    with pytest.raises(Malformed, match=r"network\.chat_id"):
        nds_reply(core.Claim, nds_pb2.UpdateLeaderResponse())


def test_a_lookup_names_the_chat_or_else_the_name() -> None:
    def sent(lookup: core.Lookup) -> Any:
        method = NDS_METHODS[core.Lookup]
        return nds_pb2.GetNetworkInformationRequest.FromString(method.write_request(lookup))

    assert (sent(core.Lookup(7, "tea")).chat_id, sent(core.Lookup(7, "tea")).name) == (7, "")
    assert (sent(core.Lookup(0, "tea")).chat_id, sent(core.Lookup(0, "tea")).name) == (0, "tea")
