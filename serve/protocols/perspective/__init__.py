"""The Perspective API's protocol."""
