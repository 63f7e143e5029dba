"""Write the tables of docs/reference that follow from the code: reasons, settings, metrics.

`python scripts/reference.py` writes them; the tests compare what it would write with what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from sallyport.observe.metrics import registry
from sallyport.settings import Settings, flag, variable
from sallyport.vocab.errors import Reason

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *([*row] for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


REASONS = """\
# Reasons

Every refusal is a problem document (RFC 9457, `application/problem+json`). Its `reason` is one of
these codes; they do not change. Besides the standard members it holds `code` and `message` (the
vendor's envelope), `fix` where something can be done, and for calls to apps `gate`, `decision_id`
and `trace_id`; for missing scopes also `required_scopes`, `granted_scopes` and `missing_scopes`.
Granted scopes are told only to the bearer of the token. OAuth endpoints answer as RFC 6749 says.

"""

SETTINGS = """\
# Settings

Each is a variable and a flag of `sallyport up`; the flag wins.

"""

MASTER_KEY = """
The data folder also holds `master.key`, which seals variables and signing keys. A backup without it
cannot be read; a backup that is kept beside it is not protected by it.
"""

METRICS = """\
# Metrics

`GET /metrics` on the operator's listener (`SALLYPORT_ADMIN_HOST`, `SALLYPORT_ADMIN_PORT`), in the
Prometheus text format. `/livez` answers while the process runs, `/readyz` while its database
answers and, where there are several gateway processes, while each of them serves. Then counts are
those of all processes together, and gauges have the label `process` besides.

"""


def reasons() -> str:
    return REASONS + table(
        ("reason", "status", "title"),
        ((f"`{each.code}`", str(each.status), each.title) for each in Reason),
    )


def settings() -> str:
    rows = (
        (
            f"`{variable(each.name)}`",
            f"`{flag(each)}`",
            f"`{each.default}`" if each.default != "" else "",
            each.metadata["help"],
        )
        for each in fields(Settings)
    )
    return SETTINGS + table(("variable", "flag", "default", "what it does"), rows) + MASTER_KEY


def metrics() -> str:
    rows = (
        (
            f"`{each.name}_total`" if each.type == "counter" else f"`{each.name}`",
            each.type,
            each.documentation,
        )
        for each in registry.collect()
    )
    return METRICS + table(("metric", "type", "what it is"), rows)


PAGES = {"reasons.md": reasons, "settings.md": settings, "metrics.md": metrics}


def main() -> None:
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
        sys.stdout.write(f"wrote docs/reference/{name}\n")


if __name__ == "__main__":
    main()
