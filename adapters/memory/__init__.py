"""Every port in memory, for fast tests: the same behaviour suites run on these and on the real ones.

What a claim rests on is never here.
"""

from __future__ import annotations

from adapters.memory.ledger import MemoryLedger as MemoryLedger
from adapters.memory.ledger import MemoryTransaction as MemoryTransaction
from adapters.memory.ledger import ViewRow as ViewRow
from adapters.memory.log import MemoryFeed as MemoryFeed
from adapters.memory.log import MemoryLog as MemoryLog
