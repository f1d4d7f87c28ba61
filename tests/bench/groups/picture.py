"""The comparison as an SVG: throughput and latency of each contestant, a block for each size.

Both scales are logarithmic, since contestants are orders of magnitude apart; every bar carries its
figure.  No font, script or address from elsewhere.
"""

from collections.abc import Sequence
from math import log10
from xml.sax.saxutils import escape

from .figures import OURS, Summary

INK, SOFT, RULE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
OUR_BAR, BAR, TAIL = "#0969da", "#8c959f", "#c9d1d9"
FONT = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif"

NAME, PANEL, GAP, MARGIN = 90, 300, 90, 20  # pixels across
ROW, HEAD, TITLE = 20, 34, 44  # pixels down
WIDTH = 2 * MARGIN + NAME + 2 * PANEL + 2 * GAP


def svg(all_: Sequence[Summary]) -> str:
    """The picture of what was measured; at least one summary."""
    sizes = list(dict.fromkeys(one.size for one in all_))
    height = TITLE + sum(HEAD + ROW * sum(x.size == n for x in all_) for n in sizes) + 2 * MARGIN
    throughput = _Scale([one.middle("rate") for one in all_])
    latency = _Scale([one.middle(what) for one in all_ for what in ("p50_ms", "p99_ms")])
    left, right = MARGIN + NAME, MARGIN + NAME + PANEL + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' font-family="{FONT}" font-size="12" role="img">',
        "<title>Groups of processes: deliveries a second and latency</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        _text(left, MARGIN + 10, "deliveries a second, log scale (more is better)", bold=True),
        _text(right, MARGIN + 10, "latency p50 / p99 in ms, log scale (less is better)", bold=True),
    ]
    y = TITLE
    for size in sizes:
        rows = [one for one in all_ if one.size == size]
        parts.append(f'<path d="M{MARGIN} {y + 6}H{WIDTH - MARGIN}" stroke="{RULE}"/>')
        parts.append(_text(MARGIN, y + 24, f"{size} members", bold=True))
        y += HEAD
        for one in rows:
            parts += _row(one, y, left, throughput, right, latency)
            y += ROW
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """From a positive figure to pixels: the least of all begins a tenth of the way in."""

    def __init__(self, values: Sequence[float]) -> None:
        logs = [log10(one) for one in values if one > 0] or [0.0]
        self._low, self._high = min(logs), max(logs)

    def __call__(self, value: float) -> float:
        if value <= 0:
            return 0.0
        span = self._high - self._low or 1.0
        return PANEL * (0.1 + 0.9 * (log10(value) - self._low) / span)


def _row(
    one: Summary, y: int, left: int, throughput: _Scale, right: int, latency: _Scale
) -> list[str]:
    ours = one.contestant == OURS
    color = OUR_BAR if ours else BAR
    rate, p50, p99 = (one.middle(what) for what in ("rate", "p50_ms", "p99_ms"))
    wide, near, far = throughput(rate), latency(p50), latency(p99)
    return [
        _text(left - 8, y + 12, one.contestant, anchor="end", bold=ours),
        _bar(left, y, wide, color),
        _text(left + wide + 6, y + 12, f"{rate:,.0f}", soft=True),
        _bar(right, y, far, TAIL),
        _bar(right, y, near, color),
        _text(right + max(near, far) + 6, y + 12, f"{p50:,.1f} / {p99:,.1f}", soft=True),
    ]


def _bar(x: float, y: int, width: float, color: str) -> str:
    return f'<rect x="{x:g}" y="{y + 2}" width="{width:.1f}" height="14" rx="2" fill="{color}"/>'


def _text(
    x: float, y: int, text: str, *, anchor: str = "start", bold: bool = False, soft: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{SOFT if soft else INK}" text-anchor="{anchor}"{weight}>'
        f"{escape(text)}</text>"
    )
