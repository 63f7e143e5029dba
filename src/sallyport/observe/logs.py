"""The platform's own log: one line an event, JSON where no terminal reads it."""

from __future__ import annotations

import logging
import sys
from functools import partial

import structlog


def configure_logging(
    level: str, *, stream: object | None = None, process: str | None = None
) -> None:
    """Send the standard library's loggers through structlog to standard error.

    `process` is put into each line, where there are several.
    """
    out = stream or sys.stderr
    terminal = bool(getattr(out, "isatty", lambda: False)())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if process is not None:
        shared.append(partial(_name_process, process))
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(out)  # type: ignore[arg-type]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in ("alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _name_process(
    name: str, _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event["process"] = name
    return event
