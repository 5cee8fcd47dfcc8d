"""Everything that must be remembered, in one database; imports only ports and domain."""

from gateway.store.migrate import upgrade
from gateway.store.store import Store, open_beside, open_store

__all__ = ["Store", "open_beside", "open_store", "upgrade"]
