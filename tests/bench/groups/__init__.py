"""Groups of processes that all talk at once: ours beside others, in the same run.

Every contestant is a module with one class that keeps the promise of `contestant.Contestant`; each
member of a group is a process of its own (`member`), told over its stdin what to do by `contest`,
which starts the processes and measures one group.  `ledger` is each member's account of what came:
every number of every source exactly once.  `__main__` takes the contestants in turn, `figures` are
what came of it, `report` and `picture` show them.
"""
