"""People, roles, sign-in, sessions and tokens; permissions as pure functions."""
