"""The pure core: what an inquiry is, and what its events mean. No I/O, no clock, no settings."""
