"""Chaos on real processes: five nodes and a discovery service, faults drawn from a seed, a checker.

lab         hosts: network namespaces joined by a switch of ours, or this machine's loopback
schedule    what shall go wrong and when: a value, drawn from a seed, written and read as JSON
processes   a discovery service or a node on a host, and what it answers
site        all of them in one chat
writers     one for each node, with numbered lines; and who watches what each node shows
trouble     makes faults happen and ends them
cycle       one life: gather, storm, calm, a killed and a frozen leader, and the evidence of it all
checker     evidence in, violated promises out; pure
shrink      a failing schedule made smaller by leaving faults out
report      what happened, as Markdown

`make chaos CYCLES=5 START=0` runs cycles of fresh seeds; `SEED=3` repeats one.
"""
