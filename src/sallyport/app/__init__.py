"""The composition root: the only room that knows every other.

Owns how the parts of a platform are made, in which order, and how they are closed. Owns no rule of
the platform. Called by the command line, which opens a platform and listens for it.

`open_platform` makes a platform from settings; `Platform.public` is everything that listens on the
public port, `Platform.admin` what listens on the operator's. `join` and `open_gateway` are for the
processes that listen on the public port beside it.
"""

from sallyport.app.code import examine_host, node_of_host
from sallyport.app.gateway import join, open_gateway, serves
from sallyport.app.gateways import GatewayEnded
from sallyport.app.platform import Platform, open_platform
from sallyport.app.public import WayIn
from sallyport.app.shares import Shares
from sallyport.runtime.line import LineEnded

__all__ = [
    "GatewayEnded",
    "LineEnded",
    "Platform",
    "Shares",
    "WayIn",
    "examine_host",
    "join",
    "node_of_host",
    "open_gateway",
    "open_platform",
    "serves",
]
