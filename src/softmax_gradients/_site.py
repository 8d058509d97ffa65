"""Where the book is published, as far as the installed package knows."""

from importlib.metadata import PackageNotFoundError, metadata

LABEL = "documentation"


def base_address() -> str:
    """Return the address of the book, or "" where the package names none.

    It is the project's URL "Documentation", from pyproject.toml.
    """
    try:
        addresses = metadata("softmax-gradients").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        return ""
    for each in addresses:
        label, _, address = each.partition(", ")
        if label.lower() == LABEL:
            return address.rstrip("/") + "/"
    return ""


def chapter_address(page: str, anchor: str = "") -> str:
    """Return where a page of the book is, or its file name if that is not known."""
    end = f"#{anchor}" if anchor else ""
    base = base_address()
    return f"{base}book/{page}.html{end}" if base else f"book/{page}{end}"
