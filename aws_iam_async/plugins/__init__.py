"""What goes around every physical connection."""
