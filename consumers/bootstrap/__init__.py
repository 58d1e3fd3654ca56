"""Wires: the only package among the consumers that names adapters.

Adapters are imported where they are used, so that a command loads only what it works with: the edge no database, the
drawing of the lifecycle neither Kafka nor Postgres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.settings import Settings as Settings
from consumers.bootstrap.parts import check_schema as check_schema
from consumers.bootstrap.parts import log_ends as log_ends
from consumers.bootstrap.parts import migrate as migrate
from consumers.bootstrap.parts import patient as patient
from consumers.bootstrap.parts import reader as reader
from consumers.bootstrap.parts import reset as reset
from consumers.bootstrap.parts import rules as rules
from consumers.bootstrap.parts import topic as topic
from consumers.bootstrap.projection import projector as projector
from consumers.bootstrap.proof import audit as audit
from consumers.bootstrap.proof import explainer as explainer
from consumers.bootstrap.proof import has_secrets as has_secrets
from consumers.bootstrap.publication import publisher as publisher
from consumers.bootstrap.reading import api as api
from consumers.bootstrap.reading import check_access as check_access
from consumers.bootstrap.servers import bootstrap_of as bootstrap_of
from consumers.bootstrap.servers import database_of as database_of
from consumers.bootstrap.servers import read_settings as read_settings
from consumers.bootstrap.servers import running as running
from consumers.bootstrap.servers import servers as servers
from consumers.bootstrap.simulation import add_delivery as add_delivery
from consumers.bootstrap.simulation import deliver as deliver
from consumers.bootstrap.simulation import make_plan as make_plan
from consumers.bootstrap.webhooks import WEBHOOK_PATH as WEBHOOK_PATH
from consumers.bootstrap.webhooks import edge as edge
from consumers.bootstrap.webhooks import signature_checks as signature_checks

if TYPE_CHECKING:
    from adapters.ledger.read import LedgerReader as LedgerReader
    from adapters.persona.simulator import Outcome as Outcome
    from adapters.persona.simulator import Plan as Plan
