"""The scripts inside the processes of Python apps: the zygote, the worker, what confines them.

Owns the calling of handlers and the capture of what they print. Run by path with `-I -S`, these
files import the standard library and `sallyport_app` alone. `zygote.py` is started by
`sallyport.runtime.zygote`; nobody imports this package.
"""
