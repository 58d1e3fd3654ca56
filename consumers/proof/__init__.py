"""Proof: a ledger compared with its log, row by row, and each record with what it says of itself. Pure."""
