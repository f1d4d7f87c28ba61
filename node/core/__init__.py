"""The protocol of p2pchat: one node's part in one group.  No IO, no clock, no chance of its own.

Two doors
    `Group.handle(now, event)` takes what has happened and gives, in order, what the world must do;
    `Group.deadline` is the one instant at which to hand in `Woken`.  The same setup, log, seed,
    events and instants give the same effects on any machine, so every bug is a list that can be
    played again.  Effects that store are durable before any later effect is performed.

Who leads
    The registry (the discovery service) keeps, for each network, an epoch and its leader, and
    changes them by compare-and-set: of all claims on one epoch exactly one wins.  An epoch is
    (generation, n); the generation grows with each start of the registry, so that one which lost
    its disk still issues higher epochs only.  A node leads an epoch because the registry granted it
    to this life of it, never because somebody said so; after a restart it claims anew.

    Members ping their leader at random intervals between t1 and t2.  "Do you lead?" is the
    question, not "are you alive?".  Silence, or a broken link confirmed by a ping, and no newer
    record at the registry lead to an election: ELECTION goes to everyone in parallel, in a large
    group to some first and to all others where those leave it open; each answers at once with OK,
    if its id is lower, and a vote.  Votes say whether the voter's own ping was
    answered a moment ago.  Unless more than half found the leader unreachable, one vote ALIVE ends
    the round: then it is the asker's link that is broken.  Lower ids that said OK stand themselves;
    the lowest that reaches the registry claims.  A lower id that is silent once, or that was not
    told of the asker before the leader died, is asked again before it is passed over; one that did
    not reach the registry of late has a moment to find that it does.  So a busy machine does not
    cost the lowest its turn.  The registry asks the old leader first, which yields only to more
    than half.  So a pause of a second costs a round, not a leader, and in an even split the sitting
    leader stays.

    With the registry away the lowest id leads provisionally: it relays and coordinates, and never
    assigns ids.  That ends when the certified leader answers, a higher epoch is known, or the
    registry answers.

Who belongs
    The roster has one record per member id and merges as a join-semilattice: halves of a split and
    late messages cannot disagree for long.  Ids come in blocks from the registry, with each epoch,
    which signs to whom, and are never used twice.  Only the certified leader admits, whoever shows
    that it knows the secret of an invitation or the password: it calls the joiner back, stores,
    answers, then tells everyone.  Whoever leads pings members it has not heard, lets three others
    try, then suspects, then drops.  Dropped says unreachable: the member itself refutes it with a
    higher incarnation, keeps its id and catches up.  Only left and kicked are for ever; and since
    what removed a member may turn out not to count, its node asks now and then whether it does.

What is said
    The lines that a member says at once, in one turn, are one message: one value all the way, in
    calls, logs and notices.  Its author signs it; what does not hold is taken from nobody.
    A message is named by (source, stream, seq); a stream is new with each process.  It names its
    direct causal predecessors and waits for them; it carries a hybrid clock greater than theirs,
    and is displayed in the order of (clock, source, stream, seq), which extends causality and is
    the same everywhere.  Others take it whatever its instant is; of two contents under one name
    the earlier stands, so an honest answer to either is later than what stands.  It is stored
    before it is shown or sent, and acknowledged by a member only once that member has stored it.
    Each member has a lane of its own: lines go to it at once while it answers at once, and together
    with the next call where it does not; slow answers shrink what may be under way.  Where a
    member does not acknowledge, the leader passes on, for a while if a ping does not get through
    either.

What was missed
    Anti-entropy is the guarantee: hashes of all that is held travel in pings; where two differ,
    one hash per author and then the runs held of the differing authors find what is missing, page
    by page; while lines are said, when all differ by what is on its way, only once in a while.
    A newcomer reads backwards, newest first; what lies below its cut counts as delivered
    until it comes.

    Logs are bounded: the oldest messages go, and their author's floor rises over them.  All below a
    floor counts as held and delivered, and stays in the hashes, so logs that trimmed differently
    are equal all the same.  A floor that counts what is not here is a gap: it is jumped, by
    adopting that floor, only after everybody alive was asked for what it still has.  Of two floors
    the higher one stands, of two at one place that with the lower hash: a log is a pair (floor,
    messages above it) for each author, and merging such pairs is a semilattice.

    A message that others follow and that nobody has left is a hole.  The certified leader declares
    it, after everyone who may come back with it has said no to a question asked when it could no
    longer be on its way.  Holes merge as a union; what follows them is shown; what turns up after
    all is shown at its place.

Where things stand
    types access conversation messages events effects timing
                                            the vocabulary
    calls alarms clock runs marks causal history gaps outbox membership liveness election guessing
                                            parts: facts that know nothing of each other
    state                                   all of them together, and the pen for effects
    reign claiming provisional electing answering
                                            flows: who leads; rounds: what people are told of it
    joining inviting passwords belonging leaving
                                            flows: who belongs, and who is let in
    talking sending composing vouching catching_up
                                            flows: what is said, by whom, what was missed
    trimming seeking                        flows: what may go, what is lost
    readable group                          what faces may read; the door
"""
