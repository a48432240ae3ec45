"""What the code's own documentation says."""

import griffe


def docstring_text(documented: griffe.Object | griffe.Alias) -> str:
    """Its documentation as one line; raises `ValueError` where there is none."""
    if documented.docstring is None:
        raise ValueError(f"{documented.path} is not documented")
    return " ".join(documented.docstring.value.split())
