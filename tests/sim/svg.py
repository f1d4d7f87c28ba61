"""A small picture of a few points, joined by a line, each with its name."""

WIDTH, HEIGHT, MARGIN = 560, 320, 56


def curve(points: list[tuple[str, float, float]], across: str, up: str) -> str:
    """The picture as SVG.

    Args:
        points: name, x and y of each, x and y from 0 on.
        across, up: what the axes show.
    """
    x_max = 1.15 * max(x for _, x, _ in points)
    y_max = 1.15 * max(y for _, _, y in points)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            MARGIN + x / x_max * (WIDTH - 2 * MARGIN),
            HEIGHT - MARGIN - y / y_max * (HEIGHT - 2 * MARGIN),
        )

    left, bottom = place(0, 0)
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M {left} {MARGIN / 2} V {bottom} H {WIDTH - MARGIN / 2}" fill="none"'
        ' stroke="black"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">{across}</text>',
        f'<text x="16" y="{HEIGHT / 2}" text-anchor="middle"'
        f' transform="rotate(-90 16 {HEIGHT / 2})">{up}</text>',
    ]
    line = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for _, x, y in points)
    rows.append(f'<polyline points="{line}" fill="none" stroke="steelblue" stroke-width="2"/>')
    for name, x, y in points:
        px, py = place(x, y)
        rows += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="steelblue"/>',
            f'<text x="{px + 8:.1f}" y="{py - 6:.1f}">{name}: {x:.0f} calls, {y:.0f} ms</text>',
        ]
    return "\n".join([*rows, "</svg>"]) + "\n"
