"""One trial on one worker: train, score, checkpoint."""
