"""The JSON door under /api/v1."""
