"""Charts as SVG for a template's ``{% raw %}``: drawn by pygal, coloured by our style sheet, without script or style.

pygal gives every shape a class and keeps its colours in a ``<style>`` and its tooltips in a script; the policy allows
neither, so both are taken out. What a bar says when one points at it is a ``<title>``. A chart is an image with a label
for screen readers: the page has the same figures in a table.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import pygal
from pygal.config import Config

from omniroute_addon.web import figures

WIDTH, HEIGHT = 880, 260
LABEL = 40
"""Half of the longest label below a line."""
MOST_LABELS = 16
"""Labels below the bars; of more, every second or third is written."""
COLOURS = 8
"""Of the style sheet: ``--c0`` to ``--c7``. Later series begin anew."""
_COLOUR = re.compile(r"color-(\d+)")
_SVG = "{http://www.w3.org/2000/svg}"
_DROPPED = frozenset(
    {f"{_SVG}{name}" for name in ("script", "style", "desc", "defs", "title")} | {"desc", "defs", "title"}
)
_OVERLAYS = frozenset({"text-overlay", "tooltip-overlay"})

type Series = Mapping[str, Sequence[float | None]]
type Words = Callable[[float], str]


def bars(
    label: str, names: Sequence[str], series: Series, words: Words = figures.short, *, stacked: bool = True
) -> str:
    """Bars over ``names``, a colour for each series; ``words`` says a value."""
    return _drawn(pygal.StackedBar if stacked else pygal.Bar, label, names, series, words)


def lines(
    label: str,
    names: Sequence[str],
    series: Series,
    words: Words = figures.short,
    *,
    span: tuple[float, float] | None = None,
) -> str:
    """A line for each series over ``names``; ``span`` is what the axis shows, else as much as there is."""
    return _drawn(pygal.Line, label, names, series, words, span=span)


def legend(series: Series) -> list[tuple[str, str]]:
    """The class of a series' colour, and its name."""
    return [(f"color-{number % COLOURS}", name) for number, name in enumerate(series)]


def _drawn(
    kind: type[pygal.Line | pygal.Bar],
    label: str,
    names: Sequence[str],
    series: Series,
    words: Words,
    *,
    span: tuple[float, float] | None = None,
) -> str:
    config = Config(
        range=span,
        width=WIDTH,
        height=HEIGHT,
        margin=8,
        js=[],
        css=[],
        show_legend=False,
        print_values=False,
        show_dots=True,
        dots_size=2.5,
        rounded_bars=2,
        truncate_label=-1,
        y_labels_major_count=3,
        value_formatter=lambda value: words(value or 0),
        no_data_text="",
    )
    if kind is pygal.Line:
        config.margin_right = LABEL  # its last value is at the very edge
    config.min_scale, config.max_scale = 3, 5
    chart = kind(config)
    step = max(1, -(-len(names) // MOST_LABELS))
    chart.x_labels = [name if number % step == 0 else "" for number, name in enumerate(names)]
    for name, values in series.items():
        chart.add(name, list(values))
    root: Element = chart.render_tree()
    _clean(root)
    _point_out(root, names, series, words)
    _recolour(root)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("class", "chart")
    root.attrib.pop("id", None)
    return tostring(root, encoding="unicode")


def _clean(parent: Element) -> None:
    for child in list(parent):
        classes = child.get("class", "")
        if not isinstance(child.tag, str) or child.tag in _DROPPED or _OVERLAYS & set(classes.split()):
            parent.remove(child)
            continue
        for name in [name for name in child.attrib if name == "style" or name.startswith("on")]:
            del child.attrib[name]
        _clean(child)


def _recolour(root: Element) -> None:
    """Begin anew where the style sheet has no more colours."""
    for element in root.iter():
        if "color-" in (classes := element.get("class", "")):
            element.set("class", _COLOUR.sub(lambda found: f"color-{int(found[1]) % COLOURS}", classes))


def _point_out(root: Element, names: Sequence[str], series: Series, words: Words) -> None:
    """Give every shape of a value its words. pygal leaves out what is None."""
    for number, (name, values) in enumerate(series.items()):
        known = [(names[at], value) for at, value in enumerate(values) if value is not None]
        shapes = [
            shape
            for group in root.iter()
            if f"serie-{number}" in group.get("class", "").split()
            for shape in group.iter()
            if "reactive" in shape.get("class", "").split() and shape.get("class", "").split()[0] in ("rect", "dot")
        ]
        if len(shapes) != len(known):
            known = [(names[at], value or 0) for at, value in enumerate(values)]
        for shape, (where, value) in zip(shapes, known, strict=False):
            SubElement(shape, "title").text = f"{where} · {name}: {words(value)}"
