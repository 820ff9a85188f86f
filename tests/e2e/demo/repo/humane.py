"""humane - numbers as people say them."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count):
    """A number of bytes: 1536 -> '1.5 KiB'."""
    if count < 0:
        raise ValueError("a size is not negative")
    value = float(count)
    unit = 0
    while value > 1024 and unit < len(UNITS) - 1:
        value /= 1024
        unit += 1
    if unit == 0:
        return f"{count} B"
    return f"{value:.1f} {UNITS[unit]}"


def duration(seconds):
    """The two largest parts of a duration: 3725 -> '1 h 2 min'."""
    parts = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def join(words):
    """Words as in a sentence: ['a', 'b', 'c'] -> 'a, b and c'."""
    words = list(words)
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]
