"""Whether a metric notices harm done to real images, and from which degree on."""
