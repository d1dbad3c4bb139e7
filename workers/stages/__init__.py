"""One file a stage of the pipeline."""
