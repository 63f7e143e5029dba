"""What the number of installations and grants costs a call: in processor time and in memory."""
