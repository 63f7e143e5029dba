"""The audit: what was done, by whom, from where and why; in pages or as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from sallyport.control.audit import (
    MOST_EXPORTED,
    MOST_LISTED,
    AuditFilter,
    AuditLine,
    Whose,
    export_audit,
    read_audit,
)
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.logs import read_time

router = APIRouter(tags=["audit"])

COLUMNS = (
    "id",
    "at",
    "event",
    "account_id",
    "account_email",
    "address",
    "reason",
    "site_id",
    "app_id",
    "subject",
    "detail",
)
MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8; header=present"}
_MOST_EVENTS = 20

ExportFormat = Literal["jsonl", "csv"]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
ExportLimit = Annotated[int, Query(ge=1, le=MOST_EXPORTED)]


def filter_of(
    event: Annotated[list[str] | None, Query(max_length=_MOST_EVENTS)] = None,
    account: Annotated[str | None, Query(max_length=320)] = None,
    client_id: Annotated[str | None, Query(max_length=64)] = None,
    app: Annotated[str | None, Query(max_length=64)] = None,
    since: str | None = None,
    until: str | None = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> AuditFilter:
    """`event` may come several times: a name, or its first part; `account` is an id or an email.

    `since` and `until` are RFC 3339; `before` is `next` of the page before. Raises `Refused`.
    """
    return AuditFilter(
        tuple(event or ()),
        account,
        client_id,
        app,
        None if since is None else read_time(since),
        None if until is None else read_time(until),
        before,
    )


FilterDep = Annotated[AuditFilter, Depends(filter_of)]


@dataclass(frozen=True, slots=True)
class Part:
    """How much of an audit, and in which form."""

    format: ExportFormat = "jsonl"
    limit: ExportLimit = MOST_EXPORTED


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for which rows; of whose audit, the address says."""

    actor: ActorDep
    services: ServicesDep
    wanted: FilterDep

    async def page(self, whose: Whose, name: str, limit: int) -> dict[str, Any]:
        found = await read_audit(self.services, self.actor, whose, name, self.wanted, limit)
        return {"items": [describe(each) for each in found.lines], "next": found.next}

    async def file(self, whose: Whose, name: str, part: Part) -> StreamingResponse:
        pages = export_audit(self.services, self.actor, whose, name, self.wanted, part.limit)
        return await file_of(pages, part.format)


AskedDep = Annotated[Asked, Depends()]
PartDep = Annotated[Part, Depends()]


@router.get("/admin/sites/{site}/audit")
async def of_site(site: str, asked: AskedDep, limit: Limit = 100) -> dict[str, Any]:
    """What was done on a site, newest first; for its admins."""
    return await asked.page(Whose.SITE, site, limit)


@router.get("/admin/sites/{site}/audit/export")
async def export_site(site: str, asked: AskedDep, part: PartDep) -> StreamingResponse:
    """The same as a file; go on after the last row with `before`."""
    return await asked.file(Whose.SITE, site, part)


@router.get("/apps/{app_id}/audit")
async def of_app(app_id: str, asked: AskedDep, limit: Limit = 100) -> dict[str, Any]:
    """What befell an app, for those who build it; of what was done on sites without persons."""
    return await asked.page(Whose.APP, app_id, limit)


@router.get("/apps/{app_id}/audit/export")
async def export_app(app_id: str, asked: AskedDep, part: PartDep) -> StreamingResponse:
    """The same as a file; go on after the last row with `before`."""
    return await asked.file(Whose.APP, app_id, part)


@router.get("/admin/organizations/{organization_id}/audit")
async def of_organization(
    organization_id: str, asked: AskedDep, limit: Limit = 100
) -> dict[str, Any]:
    """What was done on every site of an organization; for its admins."""
    return await asked.page(Whose.ORGANIZATION, organization_id, limit)


@router.get("/admin/organizations/{organization_id}/audit/export")
async def export_organization(
    organization_id: str, asked: AskedDep, part: PartDep
) -> StreamingResponse:
    """The same as a file; go on after the last row with `before`."""
    return await asked.file(Whose.ORGANIZATION, organization_id, part)


@router.get("/operator/audit")
async def of_everybody(asked: AskedDep, limit: Limit = 100) -> dict[str, Any]:
    """What was done on the whole platform; for operators."""
    return await asked.page(Whose.EVERYBODY, "", limit)


@router.get("/operator/audit/export")
async def export_everybody(asked: AskedDep, part: PartDep) -> StreamingResponse:
    """The same as a file; go on after the last row with `before`."""
    return await asked.file(Whose.EVERYBODY, "", part)


def describe(line: AuditLine) -> dict[str, Any]:
    """A row as the API shows it."""
    return {
        "id": line.seq,
        "at": iso(line.at),
        "event": line.event,
        "account_id": line.account_id,
        "account_email": line.account_email,
        "address": line.address,
        "reason": line.reason,
        "site_id": line.site_id,
        "app_id": line.app_id,
        "subject": line.subject,
        "detail": line.detail,
    }


async def file_of(
    pages: AsyncIterator[tuple[AuditLine, ...]], kind: ExportFormat
) -> StreamingResponse:
    """A file that is read from the database page by page, as fast as the client takes it."""
    # The first page is read before the answer begins, so that a refusal can still be one.
    first = await anext(pages, ())
    write = _csv if kind == "csv" else _jsonl

    async def body() -> AsyncIterator[str]:
        if kind == "csv":
            yield _csv_rows([COLUMNS])
        yield write(first)
        async for page in pages:
            yield write(page)

    return StreamingResponse(
        body(),
        media_type=MEDIA_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="audit.{kind}"'},
    )


def _jsonl(lines: Iterable[AuditLine]) -> str:
    return "".join(json.dumps(describe(each), ensure_ascii=False) + "\n" for each in lines)


def _csv(lines: Iterable[AuditLine]) -> str:
    return _csv_rows(
        [_cell(column, described[column]) for column in COLUMNS]
        for described in map(describe, lines)
    )


def _csv_rows(rows: Iterable[Iterable[str]]) -> str:
    """RFC 4180."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(column: str, value: Any) -> str:
    """A cell that no spreadsheet takes for a formula, whatever somebody gave as a name or a reason.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if column == "detail" else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")) else text
