"""Charts as SVG, drawn on the server: lines over time, bars beside words.

Each carries its figures as a table too, for those who cannot see it and for those who want them
exact. Colours come from the style sheet by class, and a word goes with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from markupsafe import Markup

from sallyport.control.usage import UsageLine
from sallyport.vocab.clock import HOUR

Kind = Literal["open", "shut", "wait", "plain"]

_WIDTH, _HEIGHT = 600, 120


@dataclass(frozen=True, slots=True)
class Series:
    """One line: what it counts, and a value for each label of the chart."""

    name: str
    kind: Kind
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a word, a figure, where its word leads."""

    label: str
    value: float
    kind: Kind = "open"
    address: str | None = None


def line_chart(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: str = ""
) -> Markup:
    """Lines over `labels`, which stand in order, such as hours. Empty without two labels."""
    if len(labels) < 2:
        return Markup("")
    top = _round_up(max((value for each in series for value in each.values), default=0))
    step = _WIDTH / (len(labels) - 1)
    lines = Markup("").join(
        Markup('<polyline class="{}" points="{}"/>').format(
            each.kind,
            " ".join(
                f"{index * step:.1f},{_HEIGHT - value / top * (_HEIGHT - 4) - 2:.1f}"
                for index, value in enumerate(each.values)
            ),
        )
        for each in series
    )
    legend = Markup("").join(
        Markup('<span class="{}">{}</span>').format(each.kind, each.name) for each in series
    )
    return Markup(
        '<figure class="chart"><figcaption>{title} <span class="legend">{legend}</span>'
        "</figcaption>"
        '<div class="plot"><span class="top">{top}{unit}</span>'
        '<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="base" d="M0 {height}H{width}M0 2H{width}"/>{lines}</svg>'
        '<span class="ends"><span>{first}</span><span>{last}</span></span></div>'
        "<details><summary>{title} in figures</summary>{table}</details></figure>"
    ).format(
        title=title,
        legend=legend,
        top=_figure(top),
        unit=f" {unit}" if unit else "",
        width=_WIDTH,
        height=_HEIGHT,
        lines=lines,
        first=labels[0],
        last=labels[-1],
        table=_table(title, labels, series),
    )


def bar_chart(title: str, bars: Sequence[Bar], unit: str = "") -> Markup:
    """A table whose rows hold a bar each, in the order given. Empty without bars."""
    if not bars:
        return Markup("")
    top = max((each.value for each in bars), default=0) or 1
    rows = Markup("").join(
        Markup(
            '<tr><th scope="row">{label}</th><td class="num">{value}{unit}</td><td class="drawn">'
            '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="{kind}" width="{width:.1f}" height="8"/></svg></td></tr>'
        ).format(
            label=each.label
            if each.address is None
            else Markup('<a href="{}">{}</a>').format(each.address, each.label),
            value=_figure(each.value),
            unit=f" {unit}" if unit else "",
            kind=each.kind,
            width=each.value / top * 100,
        )
        for each in bars
    )
    return Markup('<table class="bars"><caption>{}</caption><tbody>{}</tbody></table>').format(
        title, rows
    )


def hours(title: str, lines: Sequence[UsageLine], now: int, count: int) -> Markup:
    """Calls and refusals of the last `count` hours, one point an hour, those without any too."""
    found = {line.key: line.usage for line in lines}
    starts = [(now // HOUR - back) * HOUR for back in reversed(range(count))]
    calls = [found[start].calls if start in found else 0 for start in starts]
    refused = [found[start].refused if start in found else 0 for start in starts]
    labels = [f"{datetime.fromtimestamp(start / 1000, UTC):%H:%M}" for start in starts]
    return line_chart(
        title, labels, [Series("calls", "open", calls), Series("refused", "shut", refused)]
    )


def _table(title: str, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    head = Markup("").join(
        Markup('<th scope="col" class="num">{}</th>').format(each.name) for each in series
    )
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            label,
            Markup("").join(
                Markup('<td class="num" data-label="{}">{}</td>').format(
                    each.name, _figure(each.values[index])
                )
                for each in series
            ),
        )
        for index, label in enumerate(labels)
    )
    return Markup(
        '<table><caption class="away">{}</caption><thead><tr><th scope="col">Time</th>{}</tr>'
        "</thead><tbody>{}</tbody></table>"
    ).format(title, head, rows)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 ... that is not below `value`."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if value <= step * factor:
                return step * factor
        step *= 10


def _figure(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
