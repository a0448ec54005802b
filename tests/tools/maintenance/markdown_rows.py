"""Tables of a Markdown text."""

import re


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in `text`, their headers included."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith("|:")
    ]
