"""The simulator: real groups and the real registry decisions in one seeded world without IO.

world       machines, network and registry in one thread and one heap
checkers    the promises, compared with what really happened
lives       random lives, each drawn from its seed: grow, suffer, converge, elect once more
swarm       `python -m tests.sim.swarm`: as many lives as asked for
transcript  stories as text: commands, and what the world answers
mutants     planted bugs, each of which the swarm must find
"""
