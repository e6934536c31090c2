"""Plugins: layers around every physical connection."""
