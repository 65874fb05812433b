"""Review of a sample: drawing, spreadsheet, import, estimate."""
