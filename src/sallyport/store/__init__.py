"""The only room that speaks SQL: tables, migrations, atomic verbs, the change feed, sealing.

Verbs take a `Tx` and write; queries take a `Reader`. `Store.write(verb, ...)` runs a verb in one
durable transaction, `Store.read(query, ...)` runs a query. Verbs are atomic: a caller never reads,
decides and writes in separate calls. Owns no policy: a verb that must decide is given a pure
function. Called by tokens, oauth, gateway, control and capabilities.
"""
