"""What a node goes on with at its next start, as it was told at an earlier one."""

from node.places import places
from tests.node.town import Town


async def test_what_a_start_was_told_counts_at_the_next_one_too(town: Town) -> None:
    told = {"durability": "power", "preset": "wan", "timing": ["log_max=20"]}
    await town.start("alice", **told)
    await town.stop("alice")
    for _ in range(2):  # it is kept on, not only once
        alice = await town.start("alice")
        assert (alice.power, alice.status().durability) == (True, "power")
        assert (alice.config.preset, alice.timing.log_max) == ("wan", 20)
        await town.stop("alice")
    alice = await town.start("alice", durability="process")
    assert alice.status().durability == "process"
    assert alice.profile.durability == "process"


async def test_what_the_file_says_is_read_again_at_each_start(town: Town) -> None:
    file = places("alice", str(town.directory), {}).config
    file.write_text('durability = "power"\n[timing]\nlog_max = 20\n')
    alice = await town.start("alice")
    assert (alice.power, alice.timing.log_max) == (True, 20)
    await town.stop("alice")
    file.write_text("timing.log_max = 30\n")
    alice = await town.start("alice")
    assert (alice.power, alice.timing.log_max) == (False, 30)
