"""Published lessons: passages, search, moments."""
