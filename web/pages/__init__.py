"""One file for each group of pages."""
