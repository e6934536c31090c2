"""Bars for what was measured, as SVG without any library."""

from html import escape

from benchmarks.line import Line, Spread

WIDTH, LEFT, ROW, HEAD = 720, 250, 20, 34
LENGTH = WIDTH - LEFT - 90
OURS, OTHERS, WHISKER = "#2c7a4b", "#8a94a0", "#333"


def draw(lines: list[Line]) -> str:
    """Return a drawing with a group of bars for each line, each group on a scale of its own.

    A bar ends at the median; the thin line in it leads from the lowest to the highest tenth.
    """
    parts: list[str] = []
    top = 0.0
    for line in lines:
        parts.append(f'<text x="8" y="{top + 22}" font-weight="bold">{escape(f"{line.name}, {line.unit}")}</text>')
        longest = max(spread.median for spread in line.subjects.values()) or 1
        top += HEAD
        for subject, spread in line.subjects.items():
            parts += _bar(top, subject, spread, longest)
            top += ROW
    box = f'viewBox="0 0 {WIDTH} {top + 10:.0f}" font-family="sans-serif" font-size="12" fill="#333"'
    ground = f'<rect width="{WIDTH}" height="{top + 10:.0f}" fill="#fff"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', ground, *parts, "</svg>"]) + "\n"


def _bar(top: float, subject: str, spread: Spread, longest: float) -> list[str]:
    def x(value: float) -> float:
        return LEFT + LENGTH * min(max(value, 0) / longest, 1.1)

    colour = OURS if subject.startswith("this package") else OTHERS
    middle = top + ROW / 2
    return [
        f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(subject)}</text>',
        f'<rect x="{LEFT}" y="{top + 3}" width="{x(spread.median) - LEFT:.1f}" height="{ROW - 6}" fill="{colour}"/>',
        f'<line x1="{x(spread.low):.1f}" x2="{x(spread.high):.1f}" y1="{middle}" y2="{middle}" stroke="{WHISKER}"/>',
        f'<text x="{max(x(spread.median), x(spread.high)) + 6:.1f}" y="{middle + 4}">{spread.median:,.4g}</text>',
    ]
