"""How a closed range of instants is read by offsets, page by page, inside the vendor's wall.

The last page is looked for first, and the pages are then read downwards to the first: a record that is edited meanwhile
leaves the range, and those behind it move towards pages that are still to be read, so none is skipped. A range with
more records than offsets reach is halved. Source: Fxiaoke data/query (offset a multiple of limit, at most 10,000).
"""

from __future__ import annotations

from dataclasses import replace

from connectors.fxiaoke.cursors import Span

MAX_OFFSET = 10_000


def after_page(span: Span, rows: int, total: int, limit: int) -> Span | None:
    """Returns where the range goes on after a page of so many rows, or None where it is read to its end.

    `total` is what the vendor counted, which may be too low or 0: the last page is the first that is not full.
    """
    if span.climbing and rows >= limit:
        last = max(total - 1, 0) // limit * limit if span.offset == 0 else 0
        return replace(span, offset=max(last, span.offset + limit))
    if span.offset == 0:
        return None
    return replace(span, offset=span.offset - limit, climbing=False)


def halved(span: Span) -> Span | None:
    """Returns the earlier half of a range, from its first page, or None for a single millisecond."""
    if span.low >= span.high:
        return None
    return Span(span.low, (span.low + span.high) // 2)


def next_span(span: Span, ends: tuple[int, ...]) -> Span | None:
    """Returns the range behind one that was read to its end, up to the next of these instants, or None."""
    return next((Span(span.high + 1, end) for end in ends if end > span.high), None)
