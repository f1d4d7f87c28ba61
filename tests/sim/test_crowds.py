"""The costs of large groups are as the page has them, and small beside a mesh."""

import pytest

from . import crowds


@pytest.mark.parametrize("size", [4, 16, 17, 50])
def test_the_page_tells_what_is_measured(size: int) -> None:
    row = crowds.table([crowds.measured(size)]).splitlines()[-1]
    assert row in (crowds.HERE / "crowds.md").read_text("utf-8").splitlines()


def test_in_a_large_group_nobody_has_to_do_with_everybody() -> None:
    large = crowds.measured(200)
    assert large.author < 2 * 200**0.5
    assert large.most < 200**0.5
    assert large.links_max <= 2.2 * 200**0.5
    assert large.calls < 1.1, "each line is told once to each, and acknowledgements go together"
    assert (large.last_ms, large.acked_ms) <= (4, 8), "two steps there and two back, 1 to 2 ms each"


def test_what_somebody_misses_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "LINE_MS", 2)
    with pytest.raises(AssertionError, match="not everyone"):
        crowds.measured(50)
