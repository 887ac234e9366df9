"""The report's numbers as files and tables: HTML, Markdown, LaTeX, CSV and the terminal."""
