"""How amounts are put into words."""


def duration(seconds: float) -> str:
    """A length of time in the two largest units that matter: 0.25 s, 41 s, 3 min 5 s, 2 h 4 min, 5 d 1 h."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.3g} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def mebibytes(size_bytes: int) -> str:
    """Bytes as MiB, with a decimal where it matters."""
    mib = size_bytes / 2**20
    return f"{mib:.1f} MiB" if mib < 100 else f"{mib:,.0f} MiB"


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 job`, `2 jobs`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
