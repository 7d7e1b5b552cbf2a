"""What is so: the state that events are folded into, one file a concept."""
