"""The curves of one simulated day, as SVG without any library."""

from collections.abc import Sequence

HOUR, HOURS = 3600, 24
WIDTH, HEIGHT, LEFT, TOP = 520, 190, 60, 44
COLOURS = {"on_use": "#2c7a4b", "background": "#2b6cb0", "by hand": "#b0483f"}
NAMES = {"on_use": 'refresh="on_use"', "background": 'refresh="background"', "by hand": "written by hand"}
DASHES = {"on_use": "", "background": ' stroke-dasharray="6 4"', "by hand": ""}

Curves = dict[str, Sequence[float]]
"""When something happened to whom, in seconds into the day, in order; by a name that is in ``COLOURS``."""


def draw(panels: dict[str, Curves], outages: Sequence[range]) -> str:
    """Return a drawing with a panel for each title, one below the other, whose curves count what happened so far.

    Args:
        panels: The curves of each, by its title.
        outages: When the endpoint is down, in seconds into the day.
    """
    height = len(panels) * (TOP + HEIGHT) + 60
    box = f'viewBox="0 0 {LEFT + WIDTH + 90} {height}" font-family="sans-serif" font-size="12" fill="#444"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{LEFT + WIDTH + 90}" height="{height}" fill="#fff"/>',
    ]
    for place, (title, curves) in enumerate(panels.items()):
        parts += _panel(TOP + place * (TOP + HEIGHT), title, curves, outages)
    parts += [
        f'<text x="{LEFT + WIDTH / 2}" y="{height - 34}" text-anchor="middle">hours; grey: the endpoint is down</text>',
        *_legend(height - 14),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(top: float, title: str, curves: Curves, outages: Sequence[range]) -> list[str]:
    most = max(10, *(len(moments) for moments in curves.values()))
    parts = [f'<text x="{LEFT}" y="{top - 12}" font-weight="bold">{title}</text>']
    for outage in outages:
        left = _x(outage.start)
        right = min(_x(outage.stop), LEFT + WIDTH)
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{HEIGHT}" fill="#e8e8e8"/>')
    for hour in range(0, HOURS + 1, 4):
        x = _x(hour * HOUR)
        parts.append(f'<text x="{x:.1f}" y="{top + HEIGHT + 15}" text-anchor="middle">{hour}</text>')
    for value in (0, most // 2, most):
        y = top + HEIGHT * (1 - value / most)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#bbb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for kind, moments in curves.items():
        steps = [f"M{LEFT} {top + HEIGHT}"]
        for count, moment in enumerate(moments, 1):
            steps.append(f"H{_x(moment):.1f}V{top + HEIGHT * (1 - count / most):.1f}")
        steps.append(f"H{LEFT + WIDTH}")
        path = "".join(steps)
        parts.append(f'<path d="{path}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2"{DASHES[kind]}/>')
    lowest = top + HEIGHT + 17.0
    for kind, moments in sorted(curves.items(), key=lambda curve: len(curve[1])):
        lowest = min(lowest - 13, top + HEIGHT * (1 - len(moments) / most) + 4)  # one above the other
        parts.append(f'<text x="{LEFT + WIDTH + 6}" y="{lowest:.1f}" fill="{COLOURS[kind]}">{len(moments)}</text>')
    return parts


def _legend(y: float) -> list[str]:
    parts = []
    for place, kind in enumerate(COLOURS):
        x = LEFT + place * 175
        line = f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" stroke="{COLOURS[kind]}" stroke-width="2"'
        parts.append(f"{line}{DASHES[kind]}/>")
        parts.append(f'<text x="{x + 30}" y="{y}">{NAMES[kind].replace(chr(34), "&quot;")}</text>')
    return parts


def _x(moment: float) -> float:
    return LEFT + WIDTH * moment / (HOURS * HOUR)
