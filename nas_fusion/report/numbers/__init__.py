"""Everything that a report shows, as plain values: computed once from the records, drawn and written elsewhere."""
