"""How numbers are written, the same everywhere."""

from __future__ import annotations

UNITS = ("KiB", "MiB", "GiB", "TiB")


def count(number: int) -> str:
    """11176512 -> "11,176,512"."""
    return f"{number:,}"


def share(value: float) -> str:
    """A part of a whole, 0 to 1 -> "52.95%"; only all of it is "100%", only nothing is "0%"."""
    if value in (0, 1):
        return f"{value:.0%}"
    if value < 0.0001:
        return "<0.01%"
    return f"{min(value, 0.9999):.2%}"


def accuracy(value: float) -> str:
    """0.9741 -> "97.4%"."""
    return f"{value:.1%}"


def perplexity(value: float) -> str:
    """9.1234 -> "9.12", 812.3 -> "812", 54321.0 -> "54,321", 3.2e9 -> "3.2e9"."""
    if value < 99.95:
        return f"{value:.2f}" if value < 9.995 else f"{value:.1f}"
    return f"{value:,.0f}" if value < 999_999.5 else rate(value, 2)


def rate(value: float, digits: int = 3) -> str:
    """A learning rate or weight decay: 0.001 -> "1e-3", 2.43e-6 -> "2.43e-6"."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def rate_range(low: float | None, high: float | None) -> str:
    """ "1e-5..1e-4", one number where both are the same, "-" where nothing trains."""
    if low is None or high is None:
        return "-"
    return rate(high) if rate(low) == rate(high) else f"{rate(low)}..{rate(high)}"


def epochs(start: int, end: int) -> str:
    """Epochs from `start` up to, not including, `end`: "3-9", or "3" when it is one."""
    return str(start) if end - start == 1 else f"{start}-{end - 1}"


def when(start: int, end: int) -> str:
    """ "epochs 3-9", "epoch 3"."""
    return f"epoch{'s' if end - start > 1 else ''} {epochs(start, end)}"


def duration(seconds: float) -> str:
    """ "0.8 s", "42 s", "3 min 20 s", "1 h 05 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: float) -> str:
    """1536 -> "1.5 KiB"."""
    if count < 1024:
        return f"{count} B"
    units = 0
    while count >= 1023.95 and units < len(UNITS):
        count, units = count / 1024, units + 1
    return f"{count:,.1f} {UNITS[units - 1]}"
