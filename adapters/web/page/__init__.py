"""The page: HTML for people who ask what is decided, since when and why. Read-only; works without JavaScript."""
