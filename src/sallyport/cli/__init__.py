"""The command line, `sallyport`: one file a noun, a thin client of the control API.

Owns how a person at a terminal says what they want and reads what came of it. Owns no rule about
apps, sites or access: those are the platform's, asked over HTTP; `manifest` is used for the local
lint alone. Called by people and scripts; nobody imports it.
"""
