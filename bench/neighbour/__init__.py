"""What a site that calls ten times as often as it may does to calls of another site."""
