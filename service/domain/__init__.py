"""What may happen and what it means: events, decisions and folds, all pure."""
