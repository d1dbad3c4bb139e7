"""What a clip says and where it turns: pure functions on plain records."""
