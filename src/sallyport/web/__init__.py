"""Faces over HTTP: the control API, developer console, admin console, sign-in, consent pages.

Owns HTML, forms, cookies' attributes, cross-site defence and the shape of API answers. No SQL and
no OAuth logic: it calls `control`, and draws what the authorization server hands it. Mounted by
`app`, which takes `pages.build_pages`, `consent.ConsentPages` and `errors.exception_handlers`.
"""
