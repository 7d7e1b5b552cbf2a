"""What may happen: commands decide events or are refused, one file a concept."""
