"""Redis: the password from its file, for the library and for the task queue alike."""

from __future__ import annotations

import ssl
from typing import Any

import redis
from kombu.transport.redis import Channel, QoS
from kombu.transport.virtual import QoS as Places

from .settings import Settings, load

QUEUE = "taifish"


class FileCredentials(redis.CredentialProvider):
    """Reads the password for each connection: it stands in no address and in no configuration."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load()

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """What AUTH is sent."""
        user = redis.connection.parse_url(self._settings.redis_url).get("username")  # type: ignore[no-untyped-call]
        password = self._settings.redis_password()
        return (user, password) if user else (password,)


class FreeingPlaces(QoS):  # type: ignore[misc]
    """Gives a message's place back also when Redis cannot be told that it is done with.

    The library's own keeps it: a worker whose broker was away for a moment would have as many tasks fewer for
    good, none at last, and feel well (celery/celery#8030, #9054, #10302). The message comes again; the ledger
    knows that its task is done.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        finally:
            Places.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        finally:
            Places.ack(self, delivery_tag)


Channel.QoS = FreeingPlaces


def client(settings: Settings, *, timeout: float = 2) -> redis.Redis:
    """A client that gives up after so many seconds."""
    bare = redis.connection.parse_url(settings.redis_url)  # type: ignore[no-untyped-call]
    tls: dict[str, Any] = {}
    if settings.redis_url.startswith("rediss:"):
        tls = {"ssl": True, "ssl_ca_certs": str(settings.redis_ca_file)}
    return redis.Redis(
        host=bare["host"],
        port=bare.get("port", 6379),
        db=bare.get("db", 0),
        credential_provider=FileCredentials(settings),
        socket_connect_timeout=timeout,
        socket_timeout=timeout,
        **tls,
    )


def queue_options(settings: Settings) -> dict[str, Any]:
    """Celery's settings for its connection."""
    joint = "&" if "?" in settings.redis_url else "?"
    options: dict[str, Any] = {
        "broker_url": f"{settings.redis_url}{joint}credential_provider={__name__}.FileCredentials",
    }
    if settings.redis_url.startswith("rediss:"):
        options["broker_use_ssl"] = {
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_ca_certs": str(settings.redis_ca_file),
            "ssl_check_hostname": True,
        }
    return options
