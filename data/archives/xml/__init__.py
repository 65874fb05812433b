"""Reads exports in XML: WordPress (WXR) and Disqus."""
