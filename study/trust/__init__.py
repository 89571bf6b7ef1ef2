"""Whether a metric detects corruption of real images, and from which level on."""
