"""One of several gateway processes. `sallyport up --workers` starts them; nobody else does.

It is given the numbers of three open files: its line to the process that started it, the socket
that takes connections, and how many each process has. It ends when that process does, and when it
is told to.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvloop

from sallyport.app import LineEnded, Shares, join, open_gateway, serves
from sallyport.cli.accepting import SharingServer
from sallyport.cli.server import listening, stop_event
from sallyport.observe.logs import configure_logging


async def serve(line: socket.socket, public: socket.socket, counts: int) -> None:
    """Take connections until told to stop, or until the host is gone."""
    stop = stop_event()
    # What the keyboard sends goes to every process of the terminal; the host tells this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host = await join(line)
    configure_logging(host.settings.log_level, process=host.name)
    async with (
        open_gateway(host) as way_in,
        listening(way_in, host.settings, public, SharingServer) as server,
    ):
        server.share(Shares(counts, host.settings.gateways), host.index)
        await serves(host, way_in)
        ends = [asyncio.create_task(each.wait()) for each in (stop, host.gone)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for each in ends:
            each.cancel()


def main() -> None:
    """What the process does."""
    line, public = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    counts = int(sys.argv[3])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(line, public, counts))
        except LineEnded:
            sys.exit(1)


if __name__ == "__main__":
    main()
