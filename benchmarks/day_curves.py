"""Draws the curves of one simulated day in SVG. Lengths are in pixels, and the drawing fits on a phone."""

from collections.abc import Sequence

from benchmarks.svg import drawing

HOUR, HOURS = 3600, 24
WIDTH, HEIGHT, LEFT, TOP, RIGHT = 300, 130, 42, 56, 38
COLOURS = {"on_use": "green", "background": "blue dashed", "by hand": "red"}
NAMES = {"on_use": "this package", "background": 'this package, refresh="background"', "by hand": "written by hand"}

Curves = dict[str, Sequence[float]]
"""The sorted times of events for each subject, in seconds since the start of the day. The keys are in ``COLOURS``."""


def draw(panels: dict[str, Curves], outages: Sequence[range]) -> str:
    """Return a drawing with one panel below the other. The curves show the number of events so far.

    Args:
        panels: The curves of each panel, by the panel's title.
        outages: The times at which the endpoint is down, in seconds since the start of the day.
    """
    top = len(panels) * (TOP + HEIGHT) + 40
    parts = []
    for place, (title, curves) in enumerate(panels.items()):
        parts += _panel(TOP + place * (TOP + HEIGHT), title, curves, outages)
    parts.append(f'<text x="{LEFT}" y="{top}">hour of the day</text>')
    parts.append(f'<rect x="{LEFT}" y="{top + 12}" width="24" height="10" class="outage"/>')
    parts.append(f'<text x="{LEFT + 32}" y="{top + 21}">AWS does not give credentials</text>')
    parts += _legend(top + 40)
    return drawing(LEFT + WIDTH + RIGHT, top + 40 + len(COLOURS) * 18, parts)


def _panel(top: float, title: str, curves: Curves, outages: Sequence[range]) -> list[str]:
    most = max(10, *(len(moments) for moments in curves.values()))
    parts = [f'<text x="{LEFT}" y="{top - 12}" class="title">{title}</text>']
    for outage in outages:
        left = _x(outage.start)
        right = min(_x(outage.stop), LEFT + WIDTH)
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{HEIGHT}" class="outage"/>')
    for hour in range(0, HOURS + 1, 4):
        x = _x(hour * HOUR)
        parts.append(f'<text x="{x:.1f}" y="{top + HEIGHT + 15}" text-anchor="middle">{hour}</text>')
    for value in (0, most // 2, most):
        y = top + HEIGHT * (1 - value / most)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for kind, moments in curves.items():
        steps = [f"M{LEFT} {top + HEIGHT}"]
        for count, moment in enumerate(moments, 1):
            steps.append(f"H{_x(moment):.1f}V{top + HEIGHT * (1 - count / most):.1f}")
        steps.append(f"H{LEFT + WIDTH}")
        parts.append(f'<path d="{"".join(steps)}" class="curve {COLOURS[kind]}"/>')
    lowest = top + HEIGHT + 17.0
    for kind, moments in sorted(curves.items(), key=lambda curve: len(curve[1])):
        if kind != "background":  # its curve is almost the same as that of "on_use"
            lowest = min(lowest - 13, top + HEIGHT * (1 - len(moments) / most) + 4)  # keep the numbers from overlapping
            parts.append(f'<text x="{LEFT + WIDTH + 4}" y="{lowest:.1f}">{len(moments)}</text>')
    return parts


def _legend(top: float) -> list[str]:
    parts = []
    for place, kind in enumerate(COLOURS):
        y = top + place * 18
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + 24}" y1="{y - 4}" y2="{y - 4}" class="curve {COLOURS[kind]}"/>')
        parts.append(f'<text x="{LEFT + 32}" y="{y}">{NAMES[kind].replace(chr(34), "&quot;")}</text>')
    return parts


def _x(moment: float) -> float:
    return LEFT + WIDTH * moment / (HOURS * HOUR)
