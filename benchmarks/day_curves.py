"""The curves of one simulated day, as SVG without any library."""

from pathlib import Path

from benchmarks.simulated_day import DAY, HOUR, KINDS, OUTAGE, Result, simulate

OUTAGES_BEGIN = 2700  # in each hour
WIDTH, HEIGHT, LEFT, TOP = 520, 190, 60, 44
COLOURS = {"on_use": "#2c7a4b", "background": "#2b6cb0", "by hand": "#b0483f"}
NAMES = {"on_use": 'refresh="on_use"', "background": 'refresh="background"', "by hand": "written by hand"}
DASHES = {"on_use": "", "background": ' stroke-dasharray="6 4"', "by hand": ""}


def draw(file: str) -> None:
    """Write two panels, one below the other: connects that waited or failed, and questions to the endpoint."""
    days = {kind: simulate(kind, OUTAGES_BEGIN) for kind in KINDS}
    troubled = {kind: _troubled(day) for kind, day in days.items()}
    asked = {kind: sorted([*day.endpoint.successes, *day.endpoint.failures]) for kind, day in days.items()}
    height = 2 * (TOP + HEIGHT) + 60
    box = f'viewBox="0 0 {LEFT + WIDTH + 90} {height}" font-family="sans-serif" font-size="12" fill="#444"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{LEFT + WIDTH + 90}" height="{height}" fill="#fff"/>',
        *_panel(TOP, "Connects that waited for AWS or failed, so far", troubled),
        *_panel(2 * TOP + HEIGHT, "Requests to the credentials endpoint, so far", asked),
        f'<text x="{LEFT + WIDTH / 2}" y="{height - 34}" text-anchor="middle">hours; grey: the endpoint is down</text>',
        *_legend(height - 14),
        "</svg>",
    ]
    Path(file).write_text("\n".join(parts) + "\n", encoding="utf-8")


def _troubled(day: Result) -> list[float]:
    """When a connect that waited, failed, or both, had begun."""
    waits, failures = list(day.waits), list(day.failures)
    for moment in waits:
        if moment in failures:
            failures.remove(moment)
    return sorted([*waits, *failures])


def _panel(top: float, title: str, curves: dict[str, list[float]]) -> list[str]:
    most = max(10, *(len(moments) for moments in curves.values()))
    parts = [f'<text x="{LEFT}" y="{top - 12}" font-weight="bold">{title}</text>']
    for hour in range(24):
        left = _x(hour * HOUR + OUTAGES_BEGIN)
        right = min(_x(hour * HOUR + OUTAGES_BEGIN + OUTAGE), LEFT + WIDTH)
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{HEIGHT}" fill="#e8e8e8"/>')
    for hour in range(0, 25, 4):
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
    for place, kind in enumerate(KINDS):
        x = LEFT + place * 175
        line = f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" stroke="{COLOURS[kind]}" stroke-width="2"'
        parts.append(f"{line}{DASHES[kind]}/>")
        parts.append(f'<text x="{x + 30}" y="{y}">{NAMES[kind].replace(chr(34), "&quot;")}</text>')
    return parts


def _x(moment: float) -> float:
    return LEFT + WIDTH * moment / DAY
