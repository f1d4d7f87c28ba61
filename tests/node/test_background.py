"""Why an NDS that is started beside a node did not start, in words that help."""

import socket
from pathlib import Path

import pytest

from node.background import start_nds
from node.errors import NO_NDS, NdsNotStarted
from node.places import places


def test_an_nds_whose_place_is_taken_says_what_to_change(tmp_path: Path) -> None:
    spot = places("default", str(tmp_path), {})
    spot.make()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NdsNotStarted) as told:
            start_nds(spot, address)
    assert str(told.value) == (
        f"The NDS of this profile did not start: cannot listen on {address}:"
        " Address already in use; name another with nds_listen in config.toml."
        f" Its log: {spot.nds_log}"
    )
    assert told.value.exit == NO_NDS
