"""Whether the address that a stack gives out really answers."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request

from ops.errors import UserError

DEADLINE = 30.0  # seconds; `up` has waited for the health checks already
PAUSE = 0.5


def wait_until_healthy(url: str, *, deadline: float = DEADLINE) -> None:
    """Asks `{url}/health` until it answers 2xx.

    Raises UserError with the last answer after `deadline` seconds.
    """
    address = url.rstrip("/") + "/health"
    end = time.monotonic() + deadline
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({})
    )  # our own host is not behind a proxy
    while True:
        try:
            with opener.open(address, timeout=5):
                return
        except urllib.error.HTTPError as error:
            last = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            last = str(getattr(error, "reason", error))
        if time.monotonic() > end:
            raise UserError(
                f"{address} does not answer although the containers are healthy: {last}",
                fix="./berth status shows ports and states; a firewall or another machine's address is "
                "the usual cause",
            )
        time.sleep(PAUSE)
