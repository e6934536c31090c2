"""Draws the measured lines as a bar chart in SVG. Lengths are in pixels, and the chart fits on a phone."""

from html import escape

from benchmarks.line import Line, Spread
from benchmarks.svg import drawing

WIDTH, LEFT, ROW, HEAD = 380, 8, 34, 48
LENGTH = 300


def draw(lines: list[Line]) -> str:
    """Return a chart with a group of bars for each line. Each group has its own scale.

    A bar ends at the median. The thin line in it goes from the 10th to the 90th percentile.
    """
    parts: list[str] = []
    top = 0.0
    for line in lines:
        parts.append(f'<text x="{LEFT}" y="{top + 24}" class="title">{escape(line.name)}</text>')
        parts.append(f'<text x="{LEFT}" y="{top + 40}">{escape(line.unit)}</text>')
        longest = max(spread.median for spread in line.subjects.values()) or 1
        top += HEAD
        for subject, spread in line.subjects.items():
            parts += _bar(top, subject, spread, longest)
            top += ROW
    return drawing(WIDTH, round(top + 10), parts)


def _bar(top: float, subject: str, spread: Spread, longest: float) -> list[str]:
    def x(value: float) -> float:
        return LEFT + LENGTH * min(max(value, 0) / longest, 1.05)

    colour = "ours" if subject.startswith("this package") else "others"
    middle = top + 25
    return [
        f'<text x="{LEFT}" y="{top + 13}">{escape(subject)}</text>',
        f'<rect x="{LEFT}" y="{top + 18}" width="{x(spread.median) - LEFT:.1f}" height="14" class="{colour}"/>',
        f'<line x1="{x(spread.low):.1f}" x2="{x(spread.high):.1f}" y1="{middle}" y2="{middle}" class="rule"/>',
        f'<text x="{max(x(spread.median), x(spread.high)) + 5:.1f}" y="{middle + 4}">{spread.median:,.4g}</text>',
    ]
