"""The admin console: a customer's sites, the apps connected to them, who may call and who did.

Owns the pages under `/admin`: what they ask use-cases for and how they answer forms. Owns no rule:
who may see and do what is decided in `control`. Called by `web.pages` alone.
"""
