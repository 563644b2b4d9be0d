"""Holds reach: whether anything listens at the address of a server that has never answered.

It does not know requests, nor what is said over a connection.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from whence.adapters.openai.client import Server, official
from whence.adapters.openai.failures import unreached

#: Seconds that making a connection may take before it is left to the official client.
KNOCK = 2.0
#: Seconds until it is tried again.
AGAIN = 0.5


def reach(server: Server) -> None:
    """Nothing, unless no connection to the server can be made, tried twice at most.

    The official client would try for half a minute where the address is wrong or nothing was
    started. What is slow, or goes through a proxy, is left to it.

    Raises:
        ModelError: nothing listens there, or there is no such host.
        MissingExtra, InputError: what stands in the way of any request.
    """
    official()
    server.key()
    parts = urlsplit(server.base_url)
    if {parts.scheme, "all"} & set(getproxies()) and not proxy_bypass(str(parts.hostname)):
        return
    tries = min(1, server.retries) + 1
    for left in reversed(range(tries)):
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket.create_connection((parts.hostname, port), min(server.timeout, KNOCK)).close()
        except (TimeoutError, ValueError):
            return
        except OSError as error:
            if not left:
                raise unreached(error, server, tries) from None
            time.sleep(AGAIN)
        else:
            return
