"""Figures as they are saved: median, lowest, highest and count of rounds; ratios by round; growth."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Figure = dict[str, Any]
"""``median``, ``low``, ``high``, ``count``, ``unit`` and the ``values`` themselves."""
TIMES = "×"


def figure(values: Sequence[float], unit: str) -> Figure:
    """Return the figure of one or more values."""
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "count": len(values),
        "unit": unit,
        "values": list(values),
    }


def ratio(own: Sequence[float], other: Sequence[float], unit: str = TIMES) -> Figure:
    """Return ``own`` divided by ``other``, round by round, so that drift within a round cancels.

    In percent if ``unit`` is %.
    """
    factor = 100 if unit == "%" else 1
    return figure([factor * one / two for one, two in zip(own, other, strict=True)], unit)


def ratios(rates: Mapping[str, Sequence[float]], own: str, unit: str = TIMES) -> dict[str, Figure]:
    """Return the ratios of ``own`` to each of the others."""
    return {name: ratio(rates[own], values, unit) for name, values in rates.items() if name != own}


def group(title: str, rows: Mapping[str, Figure]) -> dict[str, Any]:
    """Figures of one table."""
    return {"title": title, "rows": dict(rows)}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return b of ``values`` = a·``sizes``^b, by least squares over the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def curve(
    title: str, across: str, unit: str, points: Mapping[int, Sequence[float]], fitted_from: float = 0
) -> dict[str, Any]:
    """Return the figures at each size, and the exponent of the medians from size ``fitted_from`` on."""
    told = {size: figure(values, unit) for size, values in sorted(points.items())}
    fitted = [size for size in told if size >= fitted_from]
    return {
        "title": title,
        "across": across,
        "unit": unit,
        "points": [{"at": size, "figure": one} for size, one in told.items()],
        "exponent": exponent(fitted, [told[size]["median"] for size in fitted]),
        "fitted": [fitted[0], fitted[-1]],
    }


def slope(exponent: float) -> str:
    """Round to two places, without a minus sign before zero."""
    return f"{round(exponent, 2) + 0.0:.2f}"


def number(value: float) -> str:
    """Format with three significant digits: "1,240", "31.4", "0.0271"."""
    if value == 0:
        return "0"
    places = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{places}f}" if places < 8 else f"{value:.2e}"
