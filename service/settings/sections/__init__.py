"""The sections of the settings: each is the struct that its part takes."""
