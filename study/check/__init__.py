"""Before anything starts: what is missing or wrong, and what a study would cost."""
