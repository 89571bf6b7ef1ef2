"""What is done with trained trials: sample, explain, rescore, compare."""
