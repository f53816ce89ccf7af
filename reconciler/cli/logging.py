"""Where the diagnostics of sessions and sources go: stderr, and only what is asked for with RECONCILER_LOG."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure_logging() -> None:
    """`RECONCILER_LOG` is debug, info, warning or error (the default: events already tell what matters)."""
    level = logging.getLevelNamesMapping().get(os.environ.get("RECONCILER_LOG", "error").upper(), logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
