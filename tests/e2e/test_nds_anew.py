"""A discovery service that was set up anew, with another key, knows no chat of before."""

from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("processes")

CHAT, NAMES = "dev", ("alice", "bob")


def led_for_now(cluster: Cluster, name: str) -> bool:
    seen = cluster[name].leading(CHAT)
    return seen is not None and seen.provisional and seen.member == cluster["alice"].id(CHAT)


def test_a_chat_goes_on_led_for_now_and_the_doctor_says_why(tmp_path: Path) -> None:
    """Nobody's word but its own brings a chat back to it; what answers is no worse than silence."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes(*NAMES)
        cluster.gather(CHAT, *NAMES)
        for name in NAMES:
            cluster[name].down()
            (cluster[name].home / "default" / "known_nds").unlink()
        cluster.nds.end()
        cluster.nds.wipe()
        key = cluster.nds.store.with_suffix(".pem")
        kept = key.read_bytes()
        key.unlink()
        cluster.nds.start()
        for name in NAMES:
            cluster[name].up()
        wait_for(lambda: all(led_for_now(cluster, name) for name in NAMES), "alice leads for now")
        cluster["bob"].say(CHAT, "we go on")
        wait_for(lambda: "we go on" in cluster["alice"].texts(CHAT), "alice has it")
        told = cluster["alice"].run("doctor", code=None).stdout
        assert "put that one's nds.pem back" in told, told
        cluster.nds.end()
        key.write_bytes(kept)
        for name in NAMES:
            cluster[name].down()
            (cluster[name].home / "default" / "known_nds").unlink()
        cluster.nds.start()
        for name in NAMES:
            cluster[name].up()
        assert not cluster.settled(CHAT, *NAMES).provisional
        assert "put that one's" not in cluster["alice"].run("doctor").stdout
    finally:
        cluster.close()
