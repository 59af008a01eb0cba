"""The front door: what people import and type; nothing below imports it."""
