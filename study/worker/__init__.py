"""One trial on one worker: train, score, checkpoint. Torch, but no Ray."""
