"""A bar for each contender, with a line from its least to its most, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT = 820, 250, 90
TOP, ROW, BAR = 48, 34, 20
OURS, OTHERS, LINE = "#2f6f4f", "#8a94a6", "#1f2430"


def draw(title: str, bars: Sequence[tuple[str, dict[str, float]]]) -> str:
    """`bars` are names with median, min and max."""
    most = max(spread["max"] for _, spread in bars)
    scale = (WIDTH - LEFT - RIGHT) / most
    height = TOP + ROW * len(bars) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" font-family="system-ui, sans-serif" '
        'font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16" font-weight="600" fill="{LINE}">'
        f"{escape(title)}</text>",
    ]
    for number, (name, spread) in enumerate(bars):
        parts += _bar(TOP + ROW * number, name, spread, scale)
    return "\n".join([*parts, "</svg>", ""])


def _bar(y: int, name: str, spread: dict[str, float], scale: float) -> list[str]:
    middle = y + BAR / 2
    fill = OURS if name.startswith("Sallyport") else OTHERS
    least, end = LEFT + spread["min"] * scale, LEFT + spread["max"] * scale
    return [
        f'<text x="{LEFT - 10}" y="{middle + 5:.0f}" text-anchor="end" fill="{LINE}">'
        f"{escape(name.replace('`', ''))}</text>",
        f'<rect x="{LEFT}" y="{y}" width="{spread["median"] * scale:.1f}" height="{BAR}" '
        f'fill="{fill}"/>',
        f'<line x1="{least:.1f}" x2="{end:.1f}" y1="{middle:.0f}" y2="{middle:.0f}" '
        f'stroke="{LINE}" stroke-width="1.5"/>',
        f'<text x="{end + 8:.1f}" y="{middle + 5:.0f}" fill="{LINE}">'
        f"{spread['median']:,.0f}</text>",
    ]
