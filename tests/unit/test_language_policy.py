"""The stand-in of a policy pack that does not come up."""

from __future__ import annotations

import threading
import time

import grpc
import pytest

from offline.language.policy import PolicyProxy


def test_a_call_that_comes_late_still_learns_why() -> None:
    proxy = PolicyProxy()

    def give_up() -> None:
        proxy.tell("the configuration is too large")
        proxy.close()

    ending = threading.Thread(target=give_up)
    ending.start()
    time.sleep(0.3)  # what a busy engine takes from one call to the next
    with grpc.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
        ask = channel.unary_unary("/pulumirpc.Analyzer/GetAnalyzerInfo")
        with pytest.raises(grpc.RpcError) as error:
            ask(b"", timeout=5)
    assert error.value.details() == "the configuration is too large"
    ending.join()
