"""A table as lines of text, aligned."""

from msgspec import Struct

from reconciler.reporting.lines import Line, Style, inert


class Table(Struct, frozen=True):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_lines(shown: Table) -> list[Line]:
    """The table with kubectl's three blanks between columns."""
    if not shown.header:
        return [Line(Style.PLAIN, "No resources found.")]
    cells = [tuple(inert(cell) for cell in row) for row in (shown.header, *shown.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    texts = [
        "   ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return [Line(Style.HEAD, texts[0]), *(Line(Style.PLAIN, text) for text in texts[1:])]
