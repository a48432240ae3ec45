"""The images of a service, for people."""

from collections.abc import Iterator, Mapping

from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.inventory import ImageUse, ServiceImages, short_digest
from prod_e_ops.service.render import shown_minute

_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")


def shown_size(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def shown_use(use: ImageUse, found: ServiceImages) -> str:
    """What an image is used for, in a word or two."""
    if use.runs:
        return "runs"
    if use.has_failed:
        return "failed"
    if use is found.last_healthy:
        return "last healthy"
    return "was healthy" if use.healthy_at else "-"


def image_rows(found: ServiceImages) -> Iterator[tuple[str, ...]]:
    """For people: a heading, and a row for each image, within 80 columns but for the last cell."""
    yield "DIGEST", "PUSHED (UTC)", "SIZE", "USE", "FINDINGS", "DEFINITION; TAGS"
    for use in found.uses:
        yield (
            short_digest(use.image.digest),
            shown_minute(use.image.pushed_at),
            shown_size(use.image.size_bytes),
            shown_use(use, found),
            shown_findings(use.image),
            named(use),
        )


def named(use: ImageUse) -> str:
    """What names an image: its newest task definition, then its tags."""
    newest = use.definitions[0].name if use.definitions else use.last_ran_as
    return f"{newest or '-'}; {', '.join(use.image.tags) or 'no tag'}"


def shown_findings(image: StoredImage) -> str:
    """What a scan found, the worst first, such as `2 high, 1 low`; or why that is not known."""
    if image.findings is None:
        return (image.scan_status or "not scanned").lower().replace("_", " ")
    counts: Mapping[str, int] = image.findings
    ranked = sorted(
        (severity for severity, count in counts.items() if count),
        key=lambda each: _SEVERITIES.index(each) if each in _SEVERITIES else len(_SEVERITIES),
    )
    return ", ".join(f"{counts[severity]} {severity.lower()}" for severity in ranked) or "none"
