"""The operating-system boundary around app code.

Owns what the kernel is told before a line of an app runs: namespaces, the folder tree, the user,
limits, the filter of system calls; the drivers that say which of it holds; and the probe by which
they know. Knows nothing of calls and frames. Called by the pool, through a `Driver`, and by
`sallyport doctor`.
"""

from sallyport.runtime.sandbox.driver import (
    UNTRUSTED_CODE_NEEDS,
    Driver,
    Guarantee,
    Launch,
    PlainDriver,
    fit_for_untrusted_code,
    missing_guarantees,
)

__all__ = [
    "UNTRUSTED_CODE_NEEDS",
    "Driver",
    "Guarantee",
    "Launch",
    "PlainDriver",
    "fit_for_untrusted_code",
    "missing_guarantees",
]
