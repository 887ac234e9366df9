"""The machine under the program: files whole or not at all, places, checksums, signals, processes, seconds."""
