"""Hostile and broken input, from seeds: whatever comes in, nothing dies and nothing refused counts.

    rpcs       every method of every service that a server names by reflection
    values     what is true in the living group: values that get past the first checks
    messages   requests made from the descriptors; bytes that are none
    callers    who says it: a member, nobody, one that left, an earlier life, to the wrong member
    calling    one case: a seed, its payloads, where it goes, and how it ended
    oracle     what is wrong with an ending, a log, a process
    within     the core alone, no process: a refused request must leave no trace
    town       the processes: a discovery service, members that talk, members to be harmed
    honest     the members that talk, and how many acknowledgements they got
    noise      HTTP/2 and TCP that no client of ours would send
    limits     each limit, at it and one past it
    campaign   all of it, with the report; `python -m tests.fuzz --help`

A case is its seed: `Random(f"{rpc} {seed}")` draws it, from what the group is like at that moment.
Chats are kept apart by what their cases may do.  In `town` nobody who calls may be heard, so
whatever changes there is a fault.  In `pit` anybody may call, and as connections are plain
(`--insecure`), what is said as a member there counts: no process may die of it, and the town must
not notice.
"""
