"""fidtune."""
