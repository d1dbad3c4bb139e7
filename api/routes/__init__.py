"""One file for each group of JSON routes."""
