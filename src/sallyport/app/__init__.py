"""The composition root: the only room that knows every other.

Owns how the parts of a platform are made, in which order, and how they are closed. Owns no rule of
the platform. Called by the command line, which opens a platform and listens for it.

`open_platform` makes a platform from settings; `Platform.asgi` is everything that listens on the
public port, `Platform.admin` what listens on the operator's.
"""

from sallyport.app.code import examine_host, node_of_host
from sallyport.app.platform import Platform, open_platform

__all__ = ["Platform", "examine_host", "node_of_host", "open_platform"]
