"""The HTML door: pages, templates, components."""
