"""What reads the log, and the commands."""
