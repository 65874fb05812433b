"""Reads pages saved as plain text, with wpDiscuz comments below the article."""
