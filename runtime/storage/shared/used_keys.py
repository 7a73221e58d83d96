"""Used idempotency keys, on every backend: how they are noted in the transaction that makes what they were used for."""

from runyard.runtime.errors import KeyTaken
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements


def keep_key(connection: Statements, sql: Queries, scope: Scope, key: IdempotencyKey, packed: bytes) -> None:
    """Notes that a key was used, and for what. Raises KeyTaken; the transaction is then to be undone."""
    parameters = {
        "creator": scope.identity,
        "key": key.key,
        "fingerprint": key.fingerprint,
        "answer": packed,
        "now": connection.now,
    }
    if not connection.execute(sql["keep_key"], parameters).rowcount:
        raise KeyTaken("Idempotency-Key: another request used this key meanwhile; send the request again")
