"""`python -m consumers.cli`: the same as `inquiry-ledger`."""

from __future__ import annotations

from consumers.cli import main

main()
