"""Submissions, comments and verdicts."""
