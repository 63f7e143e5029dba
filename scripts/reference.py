"""Write the tables of docs/reference that follow from the code: reasons, settings, metrics.

`python scripts/reference.py` writes them; the tests compare what it would write with what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from sallyport.observe.metrics import registry
from sallyport.settings import Settings, variable
from sallyport.vocab.errors import Reason

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *([*row] for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def reasons() -> str:
    return (
        "# Reasons\n\n"
        "Every refusal is a problem document (RFC 9457, `application/problem+json`). Its `reason` is "
        "one of these\ncodes; they do not change. Besides the standard members it holds `code` and "
        "`message` (the vendor's\nenvelope), `fix` where something can be done, and for calls to apps "
        "`gate`, `decision_id` and\n`trace_id`; for missing scopes also `required_scopes`, "
        "`granted_scopes` and `missing_scopes`. Granted\nscopes are told only to the bearer of the "
        "token. OAuth endpoints answer as RFC 6749 says instead.\n\n"
        + table(
            ("reason", "status", "title"),
            ((f"`{each.code}`", str(each.status), each.title) for each in Reason),
        )
    )


def settings() -> str:
    return (
        "# Settings\n\n"
        "Each is a variable and a flag of `sallyport up`; the flag wins.\n\n"
        + table(
            ("variable", "flag", "default", "what it does"),
            (
                (
                    f"`{variable(each.name)}`",
                    f"`--{each.name.replace('_', '-')}`",
                    f"`{each.default}`" if each.default != "" else "",
                    each.metadata["help"],
                )
                for each in fields(Settings)
            ),
        )
        + "\nThe data folder also holds `master.key`, which seals variables and signing keys. A backup "
        "without it\ncannot be read; a backup that is kept beside it is not protected by it.\n"
    )


def metrics() -> str:
    return (
        "# Metrics\n\n"
        "`GET /metrics` on the operator's listener (`SALLYPORT_ADMIN_HOST`, `SALLYPORT_ADMIN_PORT`), in "
        "the Prometheus\ntext format. `/livez` answers while the process runs, `/readyz` while its "
        "database answers.\n\n"
        + table(
            ("metric", "type", "what it is"),
            (
                (
                    f"`{each.name}_total`" if each.type == "counter" else f"`{each.name}`",
                    each.type,
                    each.documentation,
                )
                for each in registry.collect()
            ),
        )
    )


PAGES = {"reasons.md": reasons, "settings.md": settings, "metrics.md": metrics}


def main() -> None:
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
        sys.stdout.write(f"wrote docs/reference/{name}\n")


if __name__ == "__main__":
    main()
