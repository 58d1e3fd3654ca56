"""One outside thing a room."""
