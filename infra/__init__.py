"""The ground: settings, database, storage, the ledger of work, the doorbell, telemetry, the embedded platform."""
