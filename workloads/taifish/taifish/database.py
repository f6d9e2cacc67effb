"""The connection to PostgreSQL."""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa

from .settings import Settings


def connect(settings: Settings, *, pool: int = 5, timeout: int | None = None) -> sa.Engine:
    """An engine whose connections are tried before use; at most `pool` of them, and twice as many in a rush.

    timeout: seconds for making a connection; None: as the settings say. The password is read from its file
    for each one. TLS is as DATABASE_URL says.
    """
    engine = sa.create_engine(
        settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_pre_ping=True,
        pool_size=pool,
        max_overflow=pool,
        pool_timeout=settings.database_seconds,
        pool_recycle=1800,
        # A database that vanished without a goodbye is noticed in seconds, not in fifteen minutes.
        connect_args={
            "connect_timeout": timeout or math.ceil(settings.database_seconds),
            "tcp_user_timeout": 8000,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "application_name": "taifish",
        },
    )

    @sa.event.listens_for(engine, "do_connect")
    def password(_dialect: Any, _record: Any, _args: Any, arguments: dict[str, Any]) -> None:
        arguments["password"] = settings.database_password()

    return engine


def reason(error: BaseException) -> str:
    """The cause in one line, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__
