"""Text of others that is shown on a terminal."""


def printable(text: str) -> str:
    """One line: what would move a terminal's cursor or colour it is shown as its code."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
