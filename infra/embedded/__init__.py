"""PostgreSQL, Valkey and SeaweedFS on one machine, out of wheels."""

from infra.embedded.in_use import database_in_use
from infra.embedded.platform import Endpoints, running_platform

__all__ = ["Endpoints", "database_in_use", "running_platform"]
