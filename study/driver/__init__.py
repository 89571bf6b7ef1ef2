"""The driver of a study: decides what is run, and records what happened."""
