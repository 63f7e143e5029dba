"""Words that every room shares: reasons for refusals, ids, the clock, audit events.

Owns the stable codes and their texts. Owns no behaviour beyond rendering them.
Everybody imports this room; it imports nothing of ours.
"""
