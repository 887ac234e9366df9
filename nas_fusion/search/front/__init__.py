"""Good and cheap: the front of what a search measured, and which of it is handed on."""
