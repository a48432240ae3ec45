"""Shapes and words as SVG: the same calls give the same bytes."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

_NAMESPACE = "http://www.w3.org/2000/svg"

TEXT_SIZE = 13.5
NAME_SIZE = 14.5
_STYLE = """
.page { fill: #ffffff; stroke: #d5dbdb; }
.region { fill: #fafbfb; stroke: #7aa5a8; stroke-dasharray: 2 4; }
.vpc { fill: #ffffff; stroke: #8c7bb5; }
.zone { fill: none; stroke: #a3b4c2; stroke-dasharray: 6 5; }
.public { fill: #eff5e9; }
.private { fill: #e8f2f6; }
.isolated { fill: #eeebf5; }
.card { fill: #ffffff; stroke: #c9d1d6; }
.cluster { fill: #fffaf4; stroke: #d9a066; }
.label { fill: #ffffff; stroke: #c9d1d6; }
text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  fill: #16191f; }
.title { font-size: 24px; font-weight: 700; }
.name { font-weight: 700; }
.muted { fill: #56616c; }
.link { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.requests { stroke: #2f6fb4; } .requests-head { fill: #2f6fb4; }
.egress { stroke: #6f7f8f; stroke-dasharray: 5 4; } .egress-head { fill: #6f7f8f; }
.delivery { stroke: #b8653a; } .delivery-head { fill: #b8653a; }
.observation { stroke: #b04a7f; } .observation-head { fill: #b04a7f; }
.network-icon { fill: #8168ad; }
.compute-icon { fill: #d07c33; }
.database-icon { fill: #4d6bbf; }
.integration-icon { fill: #bd4f86; }
.security-icon { fill: #c0515c; }
.outside-icon { fill: #56677a; }
.glyph { fill: none; stroke: #ffffff; stroke-width: 1.7; stroke-linecap: round;
  stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
  text { fill: #e3e8ee; }
  .page { fill: #0d1117; stroke: #2b333d; }
  .region { fill: #11161d; stroke: #47686c; }
  .vpc { fill: #0f141b; stroke: #6d5f92; }
  .zone { stroke: #4b5967; }
  .public { fill: #1a2419; }
  .private { fill: #15232b; }
  .isolated { fill: #201d2d; }
  .card { fill: #1a2029; stroke: #3a4450; }
  .cluster { fill: #231d17; stroke: #94703f; }
  .label { fill: #1a2029; stroke: #3a4450; }
  .muted { fill: #a3afbb; }
  .requests { stroke: #6ba6e6; } .requests-head { fill: #6ba6e6; }
  .egress { stroke: #93a2b1; } .egress-head { fill: #93a2b1; }
  .delivery { stroke: #dd8d60; } .delivery-head { fill: #dd8d60; }
  .observation { stroke: #d77fae; } .observation-head { fill: #d77fae; }
}
"""

# Drawn on a field of 24 by 24, in lines.
_GLYPHS = {
    "internet": "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M3.5 12h17M12 3.5c-6 5-6 12 0 17"
    "M12 3.5c6 5 6 12 0 17",
    "build": "M14.5 5.5a4.5 4.5 0 0 0-4.2 6L4.5 17.3l2.4 2.4l5.8-5.8a4.5 4.5 0 0 0 5.9-5.6l-2.9 2.8"
    "l-2.3-2.3l2.8-2.8z",
    "firewall": "M12 3.5l7.5 3v5c0 4.5-3 7.5-7.5 9c-4.5-1.5-7.5-4.5-7.5-9v-5z"
    "M8.5 12l2.5 2.5l4.5-4.5",
    "load-balancer": "M6 9.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5M8.5 12h7M9 11l6.5-5"
    "M9 13l6.5 5M17.5 4v4M17.5 10v4M17.5 16v4",
    "mail": "M4 6.5h16v11.5h-16zM4 7l8 6.5l8-6.5",
    "gateway": "M12 20v-13M7.5 11l4.5-4.5l4.5 4.5M5 20h14",
    "nat": "M4 6v12M20 12H8M16 8l4 4l-4 4",
    "endpoint": "M12 12a3.5 3.5 0 1 0-7 0a3.5 3.5 0 1 0 7 0M12 12h7.5v3.5M16 12v3",
    "service": "M12 3.5l7.5 4.200v8.600l-7.5 4.200l-7.5-4.200v-8.600zM4.5 7.700l7.5 4.3"
    "l7.5-4.300M12 12v8.5",
    "database": "M5 6.5c0-4 14-4 14 0v11c0 4-14 4-14 0zM5 6.5c0 4 14 4 14 0M5 12c0 4 14 4 14 0",
    "registry": "M4 9l8-5l8 5v10h-16zM8.5 19v-6h7v6M8.5 16h7",
    "rule": "M13 3.5l-7 10h5l-1 7l7.5-10.5h-5.5z",
    "workflow": "M4 4.5h6v5h-6zM14 14.5h6v5h-6zM10 7h7v7.5M7 9.5v7.5h7",
    "monitoring": "M4 4v16h16M7.5 15.5l4-5l3 2.5l5-7",
    "topic": "M6 16.5v-6a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 20.5h4",
    "secret": "M5 11h14v9h-14zM8 11v-3a4 4 0 0 1 8 0v3M12 14.5v2.5",
}

# Widths of Helvetica's letters in thousandths of the font's size; any other is an average one.
_LETTER = 556
_WIDTHS = {
    **dict.fromkeys("ijl'|", 222),
    **dict.fromkeys("ft.,:;/ !·I()[]", 290),
    **dict.fromkeys("r-", 333),
    **dict.fromkeys("ckszvxy", 500),
    **dict.fromkeys("ABEKPSVXY&", 667),
    **dict.fromkeys("wCDHNRU", 722),
    **dict.fromkeys("GOQ", 778),
    **dict.fromkeys("mMW%@…→", 900),
}
# A reader without these fonts gets a wider one.
_SLACK = 1.06
_HEAD_LENGTH = 9.0
_CORNER = 8.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle in the diagram, in SVG's user units."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower edge."""
        return self.y + self.height

    @property
    def centre(self) -> Point:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


def text_width(text: str, *, size: float = TEXT_SIZE, bold: bool = False) -> float:
    """How much room a text needs at most, in user units."""
    letters = sum(_WIDTHS.get(letter, _LETTER) for letter in text)
    return letters * size / 1000 * _SLACK * (1.07 if bold else 1)


def fitted(text: str, width: float, *, size: float = TEXT_SIZE, bold: bool = False) -> str:
    """The text, or as much as fits: of a path or a name both ends, else the beginning."""

    def fits(text: str) -> bool:
        return text_width(text, size=size, bold=bold) <= width

    if fits(text):
        return text
    parts = text.split("/")
    paths = (f"{'/'.join(parts[:number])}/…/{parts[-1]}" for number in range(len(parts) - 2, 0, -1))
    lengths = range(len(text) - 1, 1, -1)
    if " " in text:
        shorter = (f"{text[:length].rstrip(' ,·-')}…" for length in lengths)
    else:
        shorter = (f"{text[: length - length // 2]}…{text[-(length // 2) :]}" for length in lengths)
    return next(filter(fits, chain(paths, shorter)), "…")


class Canvas:
    """A layer of the diagram; what is drawn later lies above what was drawn before."""

    def __init__(self) -> None:
        self.group = ET.Element("g")

    def box(self, box: Box, style: str, *, radius: float = 8, name: str | None = None) -> None:
        """Draws a rectangle with round corners. `name`: in AWS, of what it stands for."""
        self._add(
            "rect",
            x=box.x,
            y=box.y,
            width=box.width,
            height=box.height,
            rx=radius,
            style=style,
            **({"data-name": name} if name else {}),
        )

    def text(
        self, x: float, y: float, text: str, *, style: str = "", anchor: str = "start"
    ) -> None:
        """Writes one line; `y`: its baseline; `anchor`: which part of it is at `x`."""
        attributes = {} if anchor == "start" else {"text-anchor": anchor}
        self._add("text", x=x, y=y, style=style, **attributes).text = text

    def icon(self, x: float, y: float, glyph: str, colour: str, *, size: float = 28) -> None:
        """Draws a glyph in white on a square of a colour."""
        self.box(Box(x, y, size, size), f"{colour}-icon", radius=6)
        scale = size / 32
        offset = (size - 24 * scale) / 2
        self._add(
            "path",
            d=_GLYPHS[glyph],
            transform=f"translate({x + offset:g} {y + offset:g}) scale({scale:g})",
            style="glyph",
        )

    def arrow(self, *points: Point, style: str) -> None:
        """Draws a line with round corners through points, and a head at the last."""
        (x1, y1), (x2, y2) = points[-2:]
        length = abs(x2 - x1) + abs(y2 - y1)
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        neck = (x2 - dx * _HEAD_LENGTH, y2 - dy * _HEAD_LENGTH)
        self.line(*points[:-1], neck, style=style)
        half = _HEAD_LENGTH / 2
        corners = [
            (x2, y2),
            (neck[0] - dy * half, neck[1] + dx * half),
            (neck[0] + dy * half, neck[1] - dx * half),
        ]
        outline = " ".join(f"{x:g},{y:g}" for x, y in corners)
        self._add("polygon", points=outline, style=f"{style}-head")

    def line(self, *points: Point, style: str) -> None:
        """Draws a line with round corners through points, each above or beside the one before."""
        self._add("path", d=_rounded(points), style=f"link {style}")

    def _add(self, tag: str, *, style: str, **attributes: float | str) -> ET.Element:
        values = {
            name: value if isinstance(value, str) else f"{value:g}"
            for name, value in attributes.items()
        }
        return ET.SubElement(self.group, tag, values | ({"class": style} if style else {}))


def document(
    layers: Iterable[Canvas], *, width: float, height: float, title: str, description: str
) -> str:
    """The layers, the lowest first, as an XML document; `title`, `description`: for who hears it.

    It has its own background and follows its reader's choice of light or dark.
    """
    root = ET.Element(
        "svg",
        {
            "xmlns": _NAMESPACE,
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "aria-labelledby": "title description",
        },
    )
    ET.SubElement(root, "title", id="title").text = title
    ET.SubElement(root, "desc", id="description").text = description
    sizes = f"text {{ font-size: {TEXT_SIZE}px; }} .name {{ font-size: {NAME_SIZE}px; }}"
    ET.SubElement(root, "style").text = f"\n{sizes}{_STYLE}"
    root.extend(layer.group for layer in layers)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _rounded(points: Sequence[Point]) -> str:
    """The path through points whose corners are right angles."""
    parts = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (x0, y0), (x1, y1), (x2, y2) in zip(points, points[1:], points[2:], strict=False):
        before = abs(x1 - x0) + abs(y1 - y0)
        after = abs(x2 - x1) + abs(y2 - y1)
        radius = min(_CORNER, before / 2, after / 2)
        start = (x1 - (x1 - x0) / before * radius, y1 - (y1 - y0) / before * radius)
        end = (x1 + (x2 - x1) / after * radius, y1 + (y2 - y1) / after * radius)
        parts.append(f"L{start[0]:g} {start[1]:g}Q{x1:g} {y1:g} {end[0]:g} {end[1]:g}")
    parts.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(parts)
