"""The decisions: tables of what is kept and what is then said.  Tries nds/record/decisions.py."""

import random

import pytest
from msgspec.structs import replace

from nds import record as nds
from nds.record import (
    GENERATION,
    NO_EPOCH,
    NO_IDS,
    Answer,
    Ask,
    Claim,
    Create,
    Epoch,
    Facts,
    Granted,
    IdBlock,
    Kept,
    Reason,
    Record,
    Refused,
    Removal,
    Removed,
    Renewal,
    Renewed,
    Speaker,
    Word,
)

G = 1_795_000_000
NOW = (G + 100) * 1000
ANNE, BOB, CARL = G * GENERATION + 1, G * GENERATION + 2, G * GENERATION + 3
TEA = Record(
    chat=0x1A2B_0000_0000_0007,
    name="tea",
    mode=1,
    created_ms=NOW - 90_000,
    epoch=Epoch(G, 4),
    leader=ANNE,
    address="10.0.0.1:5001",
    next_n=9,
    seen_ms=NOW - 1_000,
    nonce=77,
    ids=IdBlock(G * GENERATION + 1, 8),
    answered=True,
)
CLAIM = Claim(TEA.chat, BOB, "10.0.0.2:5002", TEA.epoch, nonce=88, votes=(BOB, CARL), electorate=3)
KNOWN = Facts("tea", 1, TEA.created_ms, TEA.epoch, ANNE, TEA.address, highest_n=3)
ASK = Ask(ANNE, TEA.address, TEA.epoch, CLAIM.votes)
UNREACHED = replace(TEA, answered=False)


def kept(record=TEA, generation=G, taken=nds.nobody):
    return Kept(record, generation, taken)


def finish(record, answer, claim=CLAIM, now=NOW):
    return nds.claim_finish(kept(record), claim, ASK, answer, now).reply


# --- creation --------------------------------------------------------------------------------


def test_a_new_network_is_led_by_the_first_id_of_its_block():
    wanted = Create(5, "r1", "tea", "10.0.0.1:5001")
    decision = nds.create(kept(None), wanted, NOW)
    record, granted = decision.record, decision.reply
    assert granted == Granted(record, IdBlock(ANNE, 8), Ask(ANNE, "10.0.0.1:5001", Epoch(G, 1)))
    assert (record.chat, record.epoch, record.leader, record.next_n) == (5, Epoch(G, 1), ANNE, 9)
    assert (record.created_ms, record.seen_ms) == (NOW, NOW)


def test_a_taken_name_makes_nothing():
    decision = nds.create(
        kept(None, taken={"tea"}.__contains__), Create(5, "r1", "tea", "a:1"), NOW
    )
    assert (decision.record, decision.reply) == (None, Refused(Reason.NAME_TAKEN))


def test_a_repeated_creation_gets_the_same_answer():
    wanted = Create(5, "r1", "tea", "10.0.0.1:5001")
    first = nds.create(kept(None), wanted, NOW)
    renewed = nds.renew(
        kept(first.record), Renewal(5, ANNE, Epoch(G, 1), "10.0.0.1:5001", want_ids=True), NOW
    ).record
    again = nds.create(kept(renewed), replace(wanted, chat=6), NOW + 9)
    assert again.record == renewed
    assert (again.reply.ids, again.reply.ask) == (first.reply.ids, None)


def test_a_repeated_creation_gives_no_ids_once_another_leads():
    record = replace(TEA, request="r1")
    again = nds.create(kept(record), Create(6, "r1", "tea", "10.0.0.1:5001"), NOW)
    assert again.reply == Granted(record, NO_IDS)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(TEA, name="coffee"), Reason.REQUEST_REUSED),
        (replace(TEA, deleted=True), Reason.UNKNOWN_NETWORK),
    ],
)
def test_a_repeated_creation_never_makes_a_second_network(record, reason):
    decision = nds.create(kept(record), Create(6, "r1", "tea", "10.0.0.1:5001"), NOW)
    assert (decision.record, decision.reply.reason) == (record, reason)


# --- claims ----------------------------------------------------------------------------------


def test_a_claim_on_the_current_epoch_asks_the_old_leader():
    decision = nds.claim_begin(kept(), CLAIM, NOW)
    assert (decision.record, decision.reply) == (TEA, ASK)


@pytest.mark.parametrize("word", [Word.NOT_LEADING, Word.YIELD, Word.REFUSED, Word.SILENT])
def test_a_claim_wins_the_next_epoch_when_the_old_leader_does_not_lead(word):
    epoch = TEA.epoch if word in {Word.NOT_LEADING, Word.YIELD} else NO_EPOCH
    granted = finish(TEA, Answer(word, epoch))
    record = granted.record
    assert (record.epoch, record.leader, record.nonce) == (Epoch(G, 5), BOB, 88)
    assert (record.address, record.seen_ms, record.answered) == (CLAIM.address, NOW, False)
    assert granted.ids == record.ids == IdBlock(G * GENERATION + 9, 8)
    assert record.next_n == 17
    assert granted.ask == Ask(BOB, CLAIM.address, Epoch(G, 5))


def test_a_leader_that_leads_stays():
    refused = finish(TEA, Answer(Word.LEADING, TEA.epoch, ANNE))
    assert refused.reason is Reason.LEADER_ALIVE
    assert refused.record == replace(TEA, seen_ms=NOW)


def test_a_leader_of_a_higher_epoch_repairs_the_record():
    decision = nds.claim_finish(
        kept(), CLAIM, ASK, Answer(Word.LEADING, Epoch(G + 50, 9), CARL), NOW
    )
    assert decision.reply.reason is Reason.LEADER_ALIVE
    assert (decision.record.epoch, decision.record.leader) == (Epoch(G + 50, 9), CARL)
    assert (decision.record.nonce, decision.generation) == (0, G + 51)


def test_a_later_epoch_that_was_never_issued_repairs_nothing_though_its_leader_stays():
    answer = Answer(Word.LEADING, Epoch(G + 50, 9), CARL, is_sworn=False)
    decision = nds.claim_finish(kept(), CLAIM, ASK, answer, NOW)
    assert decision.reply.reason is Reason.LEADER_ALIVE
    assert (decision.record, decision.generation) == (replace(TEA, seen_ms=NOW), G)
    elsewhere = replace(TEA, epoch=Epoch(G, 5), leader=BOB)
    decision = nds.claim_finish(kept(elsewhere), CLAIM, ASK, answer, NOW)
    assert (decision.record, decision.reply.reason) == (elsewhere, Reason.STALE_EPOCH)


@pytest.mark.parametrize("epoch", [Epoch(G, 3), NO_EPOCH, Epoch(G + 100_000, 1)])
def test_a_leader_of_a_lower_or_unbelievable_epoch_is_replaced(epoch):
    assert isinstance(finish(TEA, Answer(Word.LEADING, epoch, ANNE)), Granted)


@pytest.mark.parametrize(
    ("word", "age_ms", "votes", "electorate", "wins"),
    [
        (Word.SILENT, 0, 0, 4, False),
        (Word.SILENT, 5_999, 2, 4, False),  # exactly half is no majority
        (Word.SILENT, 5_999, 3, 4, True),
        (Word.SILENT, 6_000, 0, 4, True),
        (Word.SILENT, -1, 0, 4, True),  # the clock was set back: the renewal's age is unknown
        (Word.SILENT, 0, 1, 0, False),  # votes of nobody knows how many
        (Word.REFUSED, 0, 0, 4, True),
        (Word.NOT_LEADING, 0, 0, 4, True),
        (Word.YIELD, 0, 0, 4, True),
    ],
)
def test_silence_of_a_leader_never_reached_counts_as_leading(word, age_ms, votes, electorate, wins):
    voters = tuple(range(1, votes + 1)) * 2  # a vote counts once
    claim = replace(CLAIM, votes=voters, electorate=electorate)
    said = finish(replace(UNREACHED, seen_ms=NOW - age_ms), Answer(word), claim)
    assert isinstance(said, Granted) == wins
    assert wins or said.reason is Reason.LEADER_ALIVE


@pytest.mark.parametrize(
    ("age_ms", "votes", "electorate", "wins"),
    [
        (0, 1, 4, False),  # one that is cut off from all the others, while the leader stalls
        (3_999, 1, 3, False),
        (4_000, 1, 4, True),
        (0, 0, 4, False),
        (0, 2, 50, True),
        (0, 1, 2, True),
        (0, 0, 0, True),  # of nobody knows how many
        (-1, 1, 4, True),
    ],
)
def test_silence_of_a_leader_once_reached_counts_against_one_alone(age_ms, votes, electorate, wins):
    claim = replace(CLAIM, votes=tuple(range(1, votes + 1)) * 2, electorate=electorate)
    said = finish(replace(TEA, seen_ms=NOW - age_ms), Answer(Word.SILENT), claim)
    assert isinstance(said, Granted) == wins
    assert wins or said.reason is Reason.LEADER_ALIVE


def test_the_records_own_leader_is_not_asked_about_itself():
    claim = replace(CLAIM, node=ANNE)
    granted = nds.claim_begin(kept(), claim, NOW).reply
    assert (granted.record.leader, granted.record.epoch) == (ANNE, Epoch(G, 5))


def test_a_record_without_a_leader_asks_nobody():
    assert isinstance(
        nds.claim_begin(kept(replace(TEA, leader=0, address="")), CLAIM, NOW).reply, Granted
    )


@pytest.mark.parametrize("expected", [Epoch(G, 3), Epoch(G - 1, 4), NO_EPOCH])
def test_a_claim_on_an_epoch_of_before_is_stale(expected):
    decision = nds.claim_begin(kept(), replace(CLAIM, expected=expected), NOW)
    assert (decision.record, decision.reply) == (TEA, Refused(Reason.STALE_EPOCH, TEA))


def test_of_two_claims_between_question_and_answer_the_first_wins():
    first = finish(TEA, Answer(Word.REFUSED)).record
    second = replace(CLAIM, node=CARL, nonce=99)
    decision = nds.claim_finish(kept(first), second, ASK, Answer(Word.REFUSED), NOW)
    assert (decision.record, decision.reply) == (first, Refused(Reason.STALE_EPOCH, first))


def test_of_two_claims_on_an_epoch_that_was_never_issued_the_first_wins():
    """A service that starts again has a higher generation than whoever lied in its place."""
    claim = replace(CLAIM, expected=Epoch(G, 5), facts=Facts(epoch=Epoch(G, 5), is_sworn=False))
    begun = nds.claim_begin(kept(generation=G + 9), claim, NOW)
    assert begun.reply == ASK
    after = kept(begun.record, begun.generation)
    won = nds.claim_finish(after, claim, ASK, Answer(Word.REFUSED), NOW).record
    assert (won.epoch, won.leader) == (Epoch(G + 9, 5), BOB)
    late = replace(claim, node=CARL, nonce=99)
    stale = Refused(Reason.STALE_EPOCH, won)
    assert nds.claim_begin(kept(won), late, NOW).reply == stale
    assert nds.claim_finish(kept(won), late, ASK, Answer(Word.REFUSED), NOW).reply == stale


def test_an_answer_about_an_epoch_that_has_passed_says_nothing_of_the_new_one():
    first = finish(TEA, Answer(Word.REFUSED)).record
    decision = nds.claim_finish(kept(first), CLAIM, ASK, Answer(Word.LEADING, TEA.epoch), NOW)
    assert (decision.record, decision.reply.reason) == (first, Reason.STALE_EPOCH)


def test_the_nonce_that_won_gets_the_same_answer_again_without_a_question():
    record = finish(TEA, Answer(Word.REFUSED)).record
    moved = nds.renew(
        kept(record), Renewal(TEA.chat, BOB, record.epoch, "10.0.0.9:5009", want_ids=True), NOW
    ).record
    for only_fate in (False, True):
        again = nds.claim_begin(kept(moved), replace(CLAIM, only_fate=only_fate), NOW + 1)
        assert (again.record, again.reply) == (moved, Granted(moved, record.ids))


@pytest.mark.parametrize(
    "claim",
    [
        replace(CLAIM, node=CARL),  # somebody else's
        replace(CLAIM, nonce=77),  # of the epoch before
        replace(CLAIM, nonce=0, expected=NO_EPOCH),
    ],
)
def test_any_other_nonce_is_an_ordinary_stale_claim(claim):
    record = finish(TEA, Answer(Word.REFUSED)).record
    assert nds.claim_begin(kept(record), claim, NOW).reply.reason is Reason.STALE_EPOCH


def test_a_nonce_of_nothing_never_resumes_an_epoch():
    record = replace(TEA, nonce=0)
    claim = replace(CLAIM, node=ANNE, nonce=0)
    assert nds.claim_begin(kept(record), claim, NOW).reply.record.epoch == Epoch(G, 5)


def test_asking_for_the_fate_grants_nothing_new():
    decision = nds.claim_begin(kept(), replace(CLAIM, only_fate=True), NOW)
    assert (decision.record, decision.reply) == (TEA, Refused(Reason.STALE_EPOCH, TEA))


def test_a_claim_on_a_network_that_nobody_knows_is_refused():
    decision = nds.claim_begin(kept(None), CLAIM, NOW)
    assert (decision.record, decision.reply) == (None, Refused(Reason.UNKNOWN_NETWORK))


def test_an_epoch_is_never_one_that_nodes_cannot_read():
    last = replace(TEA, epoch=Epoch(G, nds.INTEGER_MAX), leader=0, address="")
    claim = replace(CLAIM, expected=last.epoch)
    decision = nds.claim_begin(kept(last), claim, NOW)
    assert (decision.reply.record.epoch, decision.generation) == (Epoch(G + 1, 1), G + 1)


# --- renewals --------------------------------------------------------------------------------

RENEWAL = Renewal(TEA.chat, ANNE, TEA.epoch, TEA.address)


def test_a_renewal_says_that_the_leader_lives():
    decision = nds.renew(kept(), RENEWAL, NOW)
    assert decision.record == replace(TEA, seen_ms=NOW)
    assert decision.reply == Renewed(decision.record)


def test_a_renewal_brings_more_ids_when_wanted():
    decision = nds.renew(kept(), replace(RENEWAL, want_ids=True), NOW)
    assert decision.reply.ids == IdBlock(G * GENERATION + 9, 8)
    assert (decision.record.next_n, decision.record.ids) == (17, TEA.ids)


def test_a_leader_never_reached_is_called_at_each_renewal():
    assert nds.renew(kept(UNREACHED), RENEWAL, NOW).reply.ask == Ask(ANNE, TEA.address, TEA.epoch)


def test_a_leader_that_moved_must_be_reached_anew():
    decision = nds.renew(kept(), replace(RENEWAL, address="10.0.0.9:5009"), NOW)
    assert (decision.record.address, decision.record.answered) == ("10.0.0.9:5009", False)
    assert decision.reply.ask == Ask(ANNE, "10.0.0.9:5009", TEA.epoch)


def test_a_deposed_leader_gets_the_record_that_replaced_it_and_changes_nothing():
    record = finish(TEA, Answer(Word.REFUSED)).record
    decision = nds.renew(kept(record), replace(RENEWAL, want_ids=True), NOW)
    assert (decision.record, decision.reply) == (record, Renewed(record))


def test_another_members_renewal_of_the_same_epoch_is_refused():
    decision = nds.renew(kept(), replace(RENEWAL, node=BOB), NOW)
    assert (decision.record, decision.reply) == (TEA, Refused(Reason.NOT_LEADER, TEA))


SECURED = replace(TEA, certificate=b"of anne", claim_key=b"k" * 32)
ANOTHER = Speaker(proved=frozenset({SECURED.claim_key}), certificate=b"of another")
ITSELF = replace(ANOTHER, certificate=SECURED.certificate)


def test_the_leader_is_renewed_by_its_certificate_alone():
    there = replace(RENEWAL, address="10.0.0.9:5009", by=ITSELF)
    assert nds.renew(kept(SECURED), there, NOW).record.address == there.address
    decision = nds.renew(kept(SECURED), replace(there, by=ANOTHER), NOW)
    assert (decision.record, decision.reply) == (SECURED, Refused(Reason.NOT_LEADER, SECURED))


def test_who_claims_as_the_leader_with_another_certificate_has_the_leader_asked_first():
    claim = replace(CLAIM, node=ANNE, by=ITSELF)
    assert isinstance(nds.claim_begin(kept(SECURED), claim, NOW).reply, Granted)
    claim = replace(claim, by=ANOTHER)
    ask = nds.claim_begin(kept(SECURED), claim, NOW).reply
    assert ask == Ask(ANNE, TEA.address, TEA.epoch, CLAIM.votes, SECURED.certificate)
    alive = Answer(Word.LEADING, TEA.epoch, ANNE)
    assert finish(SECURED, alive, claim) == Refused(
        Reason.LEADER_ALIVE, replace(SECURED, seen_ms=NOW)
    )
    assert isinstance(finish(SECURED, Answer(Word.REFUSED), claim), Granted)


def test_a_renewal_tells_who_leads_where_that_was_forgotten():
    decision = nds.renew(kept(replace(TEA, leader=0, address="")), RENEWAL, NOW)
    assert (decision.record.leader, decision.record.address) == (ANNE, TEA.address)


@pytest.mark.parametrize("word", [Word.LEADING, Word.NOT_LEADING, Word.YIELD])
def test_a_leader_that_answers_has_been_reached(word):
    record = nds.heard(kept(UNREACHED), ASK, Answer(word, TEA.epoch, ANNE), NOW).record
    assert record == replace(TEA, seen_ms=NOW if word is Word.LEADING else TEA.seen_ms)


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        (UNREACHED, Answer(Word.SILENT)),
        (UNREACHED, Answer(Word.REFUSED)),
        (UNREACHED, Answer(Word.LEADING, Epoch(G + 100_000, 1))),
        (replace(UNREACHED, epoch=Epoch(G, 5)), Answer(Word.LEADING, Epoch(G, 4))),
        (replace(UNREACHED, leader=BOB), Answer(Word.LEADING, Epoch(G, 4))),
        (replace(UNREACHED, deleted=True), Answer(Word.LEADING, Epoch(G, 4))),
        (None, Answer(Word.LEADING, Epoch(G, 4))),
    ],
)
def test_silence_and_late_answers_change_nothing(record, answer):
    assert nds.heard(kept(record), ASK, answer, NOW).record == record


# --- what was forgotten ----------------------------------------------------------------------

HIGHER = Epoch(G + 20, 6)
TOMB = nds.remove_begin(kept(), Removal(TEA.chat, TEA.epoch)).record


def test_a_leader_brings_back_a_network_that_was_forgotten():
    facts = replace(KNOWN, epoch=HIGHER)
    decision = nds.renew(kept(None), replace(RENEWAL, epoch=HIGHER, facts=facts), NOW)
    record = decision.record
    assert (record.name, record.epoch, record.leader) == ("tea", HIGHER, ANNE)
    assert (record.address, record.next_n, record.seen_ms) == (TEA.address, 4, NOW)
    assert record.created_ms == TEA.created_ms
    assert decision.generation == G + 21
    assert decision.reply.record == record


def test_a_leader_needs_no_facts_to_be_believed_about_its_own_epoch():
    record = nds.renew(kept(None), RENEWAL, NOW).record
    assert (record.epoch, record.leader, record.name) == (TEA.epoch, ANNE, "1a2b000000000007")


def test_a_rolled_back_record_is_raised_to_what_the_leader_knows():
    decision = nds.renew(kept(), replace(RENEWAL, node=BOB, epoch=HIGHER, facts=KNOWN), NOW)
    record = decision.record
    assert (record.epoch, record.leader, record.next_n) == (HIGHER, BOB, 9)
    assert (record.nonce, record.ids, record.answered) == (0, NO_IDS, False)
    assert decision.generation == G + 21


def test_a_claim_after_a_wipe_asks_the_leader_that_its_facts_name():
    claim = replace(CLAIM, expected=HIGHER, facts=replace(KNOWN, epoch=HIGHER, leader=CARL))
    decision = nds.claim_begin(kept(None, G + 5), claim, NOW)
    assert decision.reply == Ask(CARL, TEA.address, HIGHER, CLAIM.votes)
    assert (decision.record.epoch, decision.record.leader) == (HIGHER, CARL)
    assert decision.generation == G + 21
    after = kept(decision.record, decision.generation)
    granted = nds.claim_finish(after, claim, decision.reply, Answer(Word.REFUSED), NOW).reply
    assert granted.record.epoch == Epoch(G + 21, 7)
    assert granted.ids.first == (G + 21) * GENERATION + 4


def test_a_claim_of_a_leader_after_a_wipe_asks_nobody():
    claim = replace(CLAIM, node=ANNE, facts=KNOWN)
    granted = nds.claim_begin(kept(None, G + 5), claim, NOW).reply
    assert (granted.record.epoch, granted.record.leader) == (Epoch(G + 5, 5), ANNE)


def test_silence_of_a_leader_known_from_facts_alone_counts_for_nothing():
    claim = replace(CLAIM, facts=replace(KNOWN, epoch=HIGHER), expected=HIGHER, votes=())
    begun = nds.claim_begin(kept(replace(UNREACHED, seen_ms=NOW)), claim, NOW)
    after = kept(begun.record, begun.generation)
    said = nds.claim_finish(after, claim, begun.reply, Answer(Word.SILENT), NOW).reply
    assert isinstance(said, Granted)


def test_facts_name_the_leader_of_an_epoch_whose_leader_was_unknown():
    nobody_leads = replace(TEA, leader=0, address="")
    assert nds.claim_begin(kept(nobody_leads), replace(CLAIM, facts=KNOWN), NOW).reply == ASK


def test_facts_that_are_not_higher_change_only_the_ids_that_are_given():
    facts = replace(KNOWN, epoch=Epoch(G, 3), leader=CARL, name="coffee", highest_n=40)
    decision = nds.renew(kept(), replace(RENEWAL, facts=facts), NOW)
    assert decision.record == replace(TEA, seen_ms=NOW)
    decision = nds.renew(kept(), replace(RENEWAL, facts=facts, want_ids=True), NOW)
    assert decision.record == replace(TEA, next_n=49, seen_ms=NOW)
    assert decision.reply.ids == IdBlock(G * GENERATION + 41, 8)
    assert decision.generation == G


def test_a_refused_claim_says_nothing_of_ids():
    claim = replace(CLAIM, facts=replace(KNOWN, highest_n=500_000))
    begun = nds.claim_begin(kept(), claim, NOW)
    assert begun.record == TEA
    leads = Answer(Word.LEADING, TEA.epoch)
    refused = nds.claim_finish(kept(), claim, begun.reply, leads, NOW)
    assert refused.reply.reason is Reason.LEADER_ALIVE
    assert refused.record.next_n == TEA.next_n


def test_a_leader_whose_facts_know_of_a_later_epoch_does_not_become_its_leader():
    facts = replace(KNOWN, epoch=HIGHER, leader=CARL, address="10.0.0.3:5003")
    decision = nds.renew(kept(), replace(RENEWAL, facts=facts), NOW)
    assert (decision.record.epoch, decision.record.leader) == (HIGHER, CARL)
    assert decision.reply == Renewed(decision.record)


@pytest.mark.parametrize("epoch", [HIGHER, Epoch(G, nds.INTEGER_MAX), Epoch(G + 3_598, 1)])
@pytest.mark.parametrize("record", [TEA, TOMB, replace(TEA, leader=0, address="")])
def test_an_epoch_that_was_never_issued_repairs_nothing(record, epoch):
    lie = replace(KNOWN, epoch=epoch, leader=CARL, address="10.6.6.6:6666", is_sworn=False)
    decision = nds.renew(kept(record), replace(RENEWAL, node=CARL, epoch=epoch, facts=lie), NOW)
    assert (decision.record, decision.generation) == (record, G)
    claim = replace(CLAIM, expected=epoch, facts=lie)
    decision = nds.claim_begin(kept(record), claim, NOW)
    assert decision.generation == G
    if record.leader:
        assert (decision.record, decision.reply) == (record, ASK)
        decision = finish(record, Answer(Word.REFUSED), claim)
    won = decision.record
    assert (won.epoch, won.leader, won.address) == (Epoch(G, 5), BOB, CLAIM.address)
    same = replace(lie, epoch=record.epoch)
    nobody = replace(TEA, leader=0, address="")
    granted = nds.claim_begin(kept(nobody), replace(CLAIM, facts=same), NOW).reply
    assert granted.record.leader == BOB, "nobody is sought at that address"


def test_an_epoch_of_the_far_future_is_believed_of_nobody():
    far = Epoch(NOW // 1000 + nds.AHEAD_S + 1, 1)
    facts = replace(KNOWN, epoch=far)
    decision = nds.claim_begin(kept(), replace(CLAIM, facts=facts), NOW)
    assert (decision.record, decision.generation, decision.reply) == (TEA, G, ASK)
    assert nds.believable(Epoch(far.generation - 1, 1), NOW)


def test_a_name_taken_meanwhile_gets_a_piece_of_the_chat_id():
    decision = nds.renew(kept(None, taken={"tea"}.__contains__), replace(RENEWAL, facts=KNOWN), NOW)
    assert decision.record.name == "tea-1a2b"


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("tea", set(), "tea"),
        ("tea", {"tea"}, "tea-1a2b"),
        ("tea", {"tea", "tea-1a2b"}, "tea-1a2b-2"),
        ("tea", {"tea", "tea-1a2b", "tea-1a2b-2"}, "tea-1a2b-3"),
        ("x" * 64, {"x" * 64}, "x" * 52 + "-1a2b"),
    ],
)
def test_a_free_name_is_found_and_is_never_too_long(name, taken, free):
    found = nds.free_name(name, TEA.chat, taken.__contains__)
    assert found == free
    assert len(found) <= nds.NAME_MAX


# --- ids -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("next_n", "count"), [(9, 8), (999_991, 8), (999_992, 8), (999_995, 5)])
def test_ids_never_run_into_those_of_the_next_generation(next_n, count):
    record = replace(TEA, next_n=next_n)
    ids = nds.renew(kept(record), replace(RENEWAL, want_ids=True), NOW).reply.ids
    assert ids == IdBlock(G * GENERATION + next_n, count)


def test_once_all_ids_were_given_those_of_the_next_generation_are():
    record = replace(TEA, next_n=GENERATION)
    renewed = nds.renew(kept(record), replace(RENEWAL, want_ids=True), NOW)
    assert renewed.reply.ids == IdBlock((G + 1) * GENERATION + 1, 8)
    assert (renewed.record.next_n, renewed.generation) == (9, G + 1)
    decision = nds.claim_finish(kept(record), CLAIM, ASK, Answer(Word.REFUSED), NOW)
    assert decision.generation == G + 1
    won = decision.reply
    assert won.ids == renewed.reply.ids
    assert (won.record.epoch, won.record.ids) == (Epoch(G, 5), won.ids)


@pytest.mark.parametrize("highest_n", [GENERATION // 2, GENERATION - 8, GENERATION - 1])
def test_nobody_is_believed_to_know_of_half_a_million_ids(highest_n):
    """Else anybody could use up those of its own network, and the generation with them."""
    facts = replace(KNOWN, highest_n=highest_n)
    renewed = nds.renew(kept(), replace(RENEWAL, facts=facts, want_ids=True), NOW)
    assert renewed.reply.ids == IdBlock(G * GENERATION + 9, 8)
    back = nds.renew(kept(None), replace(RENEWAL, facts=facts, want_ids=True), NOW)
    assert back.reply.ids.first % GENERATION == 1


# --- the end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [TEA.epoch, HIGHER, Epoch(G, nds.INTEGER_MAX)])
def test_a_removed_network_leaves_a_tombstone(epoch):
    """Of the epoch that was issued, whichever the caller names; nor does that move the next one."""
    decision = nds.remove_begin(kept(), Removal(TEA.chat, epoch))
    record = decision.record
    assert decision.reply == Removed(record)
    assert (record.deleted, record.epoch, record.next_n) == (True, TEA.epoch, 9)
    assert (record.leader, record.address, record.nonce) == (0, "", 0)
    assert decision.generation == G
    assert nds.remove_begin(kept(record), Removal(TEA.chat, TEA.epoch)).record == record


def ending(record=SECURED, by=ANOTHER, epoch=TEA.epoch):
    return nds.remove_begin(kept(record), Removal(TEA.chat, epoch, by))


def ended(answer, record=SECURED, epoch=TEA.epoch):
    ask = replace(ASK, votes=(), certificate=SECURED.certificate)
    return nds.remove_finish(kept(record), Removal(TEA.chat, epoch, ANOTHER), ask, answer, NOW)


def test_who_ends_what_another_leads_has_the_leader_asked_first():
    ask = Ask(ANNE, TEA.address, TEA.epoch, certificate=SECURED.certificate)
    for epoch in (TEA.epoch, HIGHER):
        decision = ending(epoch=epoch)
        assert (decision.record, decision.reply) == (SECURED, ask)
    nameless = replace(SECURED, certificate=b"")
    assert ending(nameless).reply == replace(ask, certificate=b"")


@pytest.mark.parametrize(
    ("record", "by"),
    [
        (SECURED, ITSELF),
        (SECURED, replace(ANOTHER, certificate=b"")),  # nothing proves who calls
        (replace(SECURED, leader=0, address=""), ANOTHER),
    ],
)
def test_its_leader_ends_it_at_once(record, by):
    assert isinstance(ending(record, by).reply, Removed)


@pytest.mark.parametrize("epoch", [TEA.epoch, HIGHER])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(Word.LEADING, TEA.epoch, ANNE),
        Answer(Word.LEADING, Epoch(G, 9), ANNE, is_sworn=False),
        Answer(Word.YIELD, TEA.epoch, ANNE),
    ],
)
def test_nobody_ends_what_a_leader_that_answers_leads(answer, epoch):
    decision = ended(answer, epoch=epoch)
    assert (decision.reply.reason, decision.generation) == (Reason.LEADER_ALIVE, G)
    assert replace(decision.record, seen_ms=TEA.seen_ms) == SECURED


@pytest.mark.parametrize(
    ("record", "word", "ends"),
    [
        (SECURED, Word.SILENT, True),
        (SECURED, Word.REFUSED, True),
        (SECURED, Word.NOT_LEADING, True),
        (replace(SECURED, answered=False), Word.REFUSED, True),
        (replace(SECURED, answered=False), Word.SILENT, False),  # it renewed a moment ago
        (replace(SECURED, answered=False, seen_ms=NOW - 6_000), Word.SILENT, True),
    ],
)
def test_the_last_one_ends_what_a_dead_leader_led(record, word, ends):
    decision = ended(Answer(word), record)
    assert decision.record.deleted == ends
    assert ends or decision.reply.reason is Reason.LEADER_ALIVE


@pytest.mark.parametrize("epoch", [TEA.epoch, HIGHER])
def test_what_has_gone_to_another_leader_meanwhile_is_not_ended(epoch):
    after = replace(SECURED, epoch=Epoch(G, 5), leader=BOB)
    for word in (Word.REFUSED, Word.LEADING):
        decision = ended(Answer(word, TEA.epoch), after, epoch)
        assert (decision.record, decision.reply) == (after, Refused(Reason.STALE_EPOCH, after))


def test_what_was_ended_while_its_leader_was_asked_has_ended():
    assert isinstance(ended(Answer(Word.LEADING, TEA.epoch), TOMB).reply, Removed)
    missing = nds.remove_finish(kept(None), Removal(TEA.chat, TEA.epoch), ASK, NOT_THERE, NOW)
    assert missing.reply == Refused(Reason.UNKNOWN_NETWORK)
    stranger = Removal(TEA.chat, TEA.epoch, Speaker(certificate=b"of a stranger"))
    refused = nds.remove_finish(kept(SECURED), stranger, ASK, NOT_THERE, NOW)
    assert (refused.record, refused.reply.reason) == (SECURED, Reason.WRONG_CLAIM_KEY)


NOT_THERE = Answer(Word.REFUSED)


def test_a_caller_of_an_old_epoch_removes_nothing():
    decision = nds.remove_begin(kept(), Removal(TEA.chat, Epoch(G, 3)))
    assert (decision.record, decision.reply) == (TEA, Refused(Reason.STALE_EPOCH, TEA))


def test_what_is_unknown_cannot_be_removed():
    decision = nds.remove_begin(kept(None), Removal(TEA.chat, TEA.epoch))
    assert (decision.record, decision.reply) == (None, Refused(Reason.UNKNOWN_NETWORK))


def test_a_renewal_does_not_revive_a_removed_network():
    decision = nds.renew(kept(TOMB), RENEWAL, NOW)
    assert (decision.record, decision.reply) == (TOMB, Refused(Reason.UNKNOWN_NETWORK))


def test_a_claim_revives_a_removed_network_from_where_it_was():
    for facts in (KNOWN, Facts()):
        claim = replace(CLAIM, facts=facts)
        record = nds.claim_begin(kept(TOMB, taken={"tea"}.__contains__), claim, NOW).reply.record
        assert (record.deleted, record.name, record.leader) == (False, "tea-1a2b", BOB)
        assert (record.epoch, record.next_n) == (Epoch(G, 5), 17)


def test_a_claim_that_was_lost_does_not_revive_a_removed_network():
    decision = nds.claim_begin(kept(TOMB), replace(CLAIM, expected=Epoch(G, 3)), NOW)
    assert (decision.record, decision.reply.reason) == (TOMB, Reason.STALE_EPOCH)


def test_a_higher_epoch_revives_a_removed_network():
    decision = nds.renew(kept(TOMB), replace(RENEWAL, epoch=HIGHER, facts=KNOWN), NOW)
    assert (decision.record.deleted, decision.record.epoch) == (False, HIGHER)


def test_a_network_removed_while_its_leader_was_asked_is_revived_by_the_claim():
    said = finish(TOMB, Answer(Word.LEADING, TEA.epoch))
    assert (said.record.leader, said.record.deleted) == (BOB, False)


# --- listings and starts ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "idle", "hidden"),
    [
        (0, False, False),
        (59_999, False, False),
        (60_000, True, False),
        (24 * 3_600_000 - 1, True, False),
        (24 * 3_600_000, True, True),
    ],
)
def test_a_silent_leaders_network_is_idle_then_hidden(age_ms, idle, hidden):
    record = replace(TEA, seen_ms=NOW - age_ms)
    assert (nds.is_idle(record, NOW), nds.is_hidden(record, NOW)) == (idle, hidden)


@pytest.mark.parametrize(
    ("stored", "now_ms", "generation"),
    [(0, 5_999, 5), (5, 5_999, 6), (4, 5_999, 5), (9, 5_999, 10)],
)
def test_generations_grow_with_every_start_and_with_the_clock(stored, now_ms, generation):
    assert nds.start_generation(stored, now_ms) == generation
    assert nds.serves_at(generation) == (generation + 1) * 1000


# --- whatever happens ------------------------------------------------------------------------


class World:
    """A service that restarts, forgets and is put back to old copies; honest, forgetful callers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = NOW
        self.record, self.generation = None, 0
        self.backups = [(None, 0)]
        self.facts = Facts("tea", 1, NOW, highest_n=0)
        self.issued: list[Epoch] = []
        self.ids: set[int] = set()
        self.restart()
        wanted = Create(1, "r", "tea", "a:5001")
        self.note(nds.create(Kept(None, self.generation), wanted, self.now))
        self.learn()

    def restart(self) -> None:
        self.generation = nds.start_generation(self.generation, self.now)
        self.now = max(self.now, nds.serves_at(self.generation))

    def note(self, decision) -> None:
        before = self.record
        self.record, self.generation = decision.record, decision.generation
        if before is not None:
            assert self.record.epoch >= before.epoch, "the record went back"
        reply = decision.reply
        if isinstance(reply, Granted) and reply.ask is not None:
            assert not self.issued or reply.record.epoch > self.issued[-1], "S1"
            self.issued.append(reply.record.epoch)
        if isinstance(reply, Granted | Renewed) and not (
            isinstance(reply, Granted) and reply.ask is None
        ):
            block = set(range(reply.ids.first, reply.ids.first + reply.ids.count))
            assert not block & self.ids, "S3"
            self.ids |= block

    def step(self) -> None:
        draw = self.random
        self.now += draw.choice((1, 400, 1_000, 7_000))
        start = (self.record, self.generation)
        facts = self.facts if draw.random() < 0.8 else Facts()
        node = draw.choice((ANNE, BOB, CARL))
        match draw.randrange(9):
            case 0:
                self.now += 1_000  # a lost disk: the next start is at a later second
                self.record, self.generation = draw.choice(self.backups)
                self.restart()
            case 1:
                self.restart()
            case 2:
                self.backups.append(start)
            case 3 | 4:
                wanted = Renewal(1, self.facts.leader, self.facts.epoch, "a:5001", True, facts)
                self.note(nds.renew(Kept(*start), wanted, self.now))
            case 5 if self.record is not None and self.random.random() < 0.2:
                self.note(nds.remove_begin(Kept(*start), Removal(1, self.facts.epoch)))
            case _:
                self.claim(node, facts)
        if draw.random() < 0.7:
            self.learn()

    def learn(self) -> None:
        if self.record is not None and self.record.epoch > self.facts.epoch:
            self.facts = replace(
                self.facts, epoch=self.record.epoch, leader=self.record.leader, address="a:5001"
            )

    def claim(self, node: int, facts: Facts) -> None:
        expected = self.facts.epoch
        if self.record is not None and self.random.random() < 0.5:
            expected = self.record.epoch
        claim = Claim(1, node, "b:5002", expected, self.random.getrandbits(64) or 1, facts=facts)
        begun = nds.claim_begin(Kept(self.record, self.generation), claim, self.now)
        if begun.record is not None:
            self.note(begun)
        if isinstance(begun.reply, Ask):
            word = self.random.choice(list(Word))
            answer = Answer(word, begun.reply.epoch, begun.reply.leader)
            now = Kept(self.record, self.generation)
            self.note(nds.claim_finish(now, claim, begun.reply, answer, self.now))


@pytest.mark.parametrize("seed", range(40))
def test_epochs_and_ids_never_repeat_whatever_the_service_forgets(seed):
    world = World(seed)
    for _ in range(400):
        world.step()
    assert len(world.issued) > 20
