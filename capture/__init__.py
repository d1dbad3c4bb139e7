"""Uploads, recordings and clips: from "start" to "processed"."""
