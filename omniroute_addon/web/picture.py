"""The rules as a picture: columns of boxes from routes over combos and targets to accounts, and lines between them. SVG.

Boxes carry words beside their colour. Nothing in here is trusted: every text is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, GAP, BETWEEN = 224, 42, 10, 66
LONGEST = 30
"""Characters of a name; the whole of it is in the tooltip."""


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    column: int
    name: str
    words: str
    """The second line: how it is."""
    state: str
    """``good``, ``warn``, ``bad`` or ``off``."""


@dataclass(frozen=True, slots=True)
class Link:
    start: str
    end: str
    off: bool = False


def picture(label: str, heads: Sequence[str], boxes: Sequence[Box], links: Sequence[Link]) -> str:
    """Only this module's own markup; may be put into a page as it is."""
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for box in boxes:
        row = rows.get(box.column, 0)
        rows[box.column] = row + 1
        places[box.id] = (box.column * (WIDTH + BETWEEN) + 2, 26 + row * (HEIGHT + GAP))
    width = len(heads) * (WIDTH + BETWEEN) - BETWEEN + 4
    height = 30 + max(rows.values(), default=1) * (HEIGHT + GAP)
    parts = [f'<svg class="picture" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">']
    parts.append(f"<title>{escape(label)}</title>")
    for column, head in enumerate(heads):
        parts.append(f'<text class="column" x="{column * (WIDTH + BETWEEN) + 4}" y="14">{escape(head)}</text>')
    parts += [_line(places[one.start], places[one.end], one.off) for one in links if _known(one, places)]
    parts += [_box(box, *places[box.id]) for box in boxes]
    return "".join(parts) + "</svg>"


def _known(link: Link, places: dict[str, tuple[int, int]]) -> bool:
    return link.start in places and link.end in places


def _line(start: tuple[int, int], end: tuple[int, int], off: bool) -> str:
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2
    to_x, to_y = end[0], end[1] + HEIGHT // 2
    if end[0] <= start[0]:  # a combo in a combo
        to_x = end[0] + WIDTH
        path = f"M{x} {y} C{x + 40} {y} {to_x + 40} {to_y} {to_x} {to_y}"
    else:
        middle = (x + to_x) // 2
        path = f"M{x} {y} C{middle} {y} {middle} {to_y} {to_x} {to_y}"
    return f'<path class="{"link-off" if off else "link-on"}" d="{path}"/>'


def _box(box: Box, x: int, y: int) -> str:
    return (
        f'<g class="box {box.state}"><title>{escape(f"{box.name}: {box.words}")}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
        f'<text class="name" x="{x + 10}" y="{y + 17}">{escape(_cut(box.name, LONGEST))}</text>'
        f'<text class="words" x="{x + 10}" y="{y + 33}">{escape(_cut(box.words, LONGEST + 6))}</text></g>'
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
