"""The report's numbers as plotly figures and SVG drawings."""
