"""Runs the domain: the engine, live matches, deadlines, snapshots, command ids."""
