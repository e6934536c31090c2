"""The frame of all drawings, with colours for light and dark mode."""

_STYLE = """<style>
text { fill: #333 } .title { font-weight: bold } .ground { fill: #fff } .rule { stroke: #333 } .grid { stroke: #bbb }
.outage { fill: #e4e4e4 } .ours { fill: #2c7a4b } .others { fill: #8a94a0 }
.curve { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 6 4 }
.green { stroke: #2c7a4b } .blue { stroke: #2b6cb0 } .red { stroke: #b0483f }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .ground { fill: #1e2129 } .rule { stroke: #ddd } .grid { stroke: #555 } .outage { fill: #3a3f4b }
.ours { fill: #4fae78 } .others { fill: #6b7480 }
.green { stroke: #4fae78 } .blue { stroke: #6ea8e6 } .red { stroke: #e0766c }
}
</style>"""


def drawing(width: int, height: int, parts: list[str]) -> str:
    """Return an SVG document with a background and these parts."""
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11"'
    background = f'<rect width="{width}" height="{height}" rx="4" class="ground"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', _STYLE, background, *parts, "</svg>"]) + "\n"
