"""Words that every room shares: reasons for refusals, ids, the clock, audit events.

Owns the stable codes and their texts, and rules that several wings go by without knowing each
other, such as whose address a request has. Owns nothing that waits or writes.
Everybody imports this room; it imports nothing of ours.
"""
