"""The syntax of the project's own modules."""

import ast
from collections.abc import Sequence
from functools import cache
from pathlib import Path


@cache
def nodes(file: Path) -> Sequence[ast.AST]:
    """All nodes of a module, the outer ones first; parsing all modules takes a second."""
    return tuple(ast.walk(ast.parse(file.read_text("utf-8"))))
