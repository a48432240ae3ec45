"""The cards of the diagram: an icon, a name and some lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prod_e_ops.analysis.diagram.svg import NAME_SIZE, Box, Canvas, fitted, text_width

_PADDING = 12.0
_LINE_HEIGHT = 19.0
_ICON = 28.0
_LARGEST_ICON = 42.0
_BESIDE_ICON = 11.0


@dataclass(frozen=True, kw_only=True)
class Card:
    """A heading beside its icon and, below, lines: what is at the left edge and at the right."""

    icon: str
    colour: str
    heading: str
    lines: Sequence[tuple[str, str]] = ()

    @property
    def height(self) -> float:
        """In user units."""
        below = 2 + _LINE_HEIGHT * len(self.lines) if self.lines else 0
        return 2 * _PADDING + _ICON + below

    def draw(self, canvas: Canvas, box: Box) -> None:
        """Draws it in a box of its height."""
        canvas.box(box, "card")
        left, right = box.x + _PADDING, box.right - _PADDING
        canvas.icon(left, box.y + _PADDING, self.icon, self.colour, size=_ICON)
        beside = left + _ICON + _BESIDE_ICON
        heading = fitted(self.heading, right - beside, size=NAME_SIZE, bold=True)
        canvas.text(beside, box.y + _PADDING + 19, heading, style="name")
        baseline = box.y + _PADDING + _ICON
        for text, at_right in self.lines:
            baseline += _LINE_HEIGHT
            room = right - left - (text_width(at_right) + 6 if at_right else 0)
            canvas.text(left, baseline, fitted(text, room))
            if at_right:
                canvas.text(right, baseline, at_right, style="muted", anchor="end")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What lies across availability zones: its name in AWS, its kind at the right edge, lines."""

    icon: str
    colour: str
    name: str
    kind: str
    lines: Sequence[str]

    @property
    def height(self) -> float:
        """In user units."""
        return 2 * _PADDING + _LINE_HEIGHT * (1 + len(self.lines)) - 2

    def draw(self, canvas: Canvas, box: Box) -> None:
        """Draws it in a box of its height."""
        canvas.box(box, "card", name=self.name)
        size = min(box.height - 2 * _PADDING + 4, _LARGEST_ICON)
        canvas.icon(box.x + _PADDING, box.centre[1] - size / 2, self.icon, self.colour, size=size)
        left, right = box.x + _PADDING + size + _BESIDE_ICON, box.right - _PADDING
        kind = fitted(self.kind, (right - left) / 2)
        room = right - left - (text_width(kind) + 10 if kind else 0)
        baseline = box.y + _PADDING + 12
        name = fitted(self.name, room, size=NAME_SIZE, bold=True)
        canvas.text(left, baseline, name, style="name")
        canvas.text(right, baseline, kind, style="muted", anchor="end")
        for line in self.lines:
            baseline += _LINE_HEIGHT
            canvas.text(left, baseline, fitted(line, right - left))


def wrapped(words: Iterable[str], width: float) -> list[str]:
    """Words with a dot between them, in as many lines as they need in a card of a width."""
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} · {word}" if lines else word
        if lines and text_width(longer) <= width - 2 * _PADDING:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
