"""Measurements for releases of belowline only: targets, ceilings, unseen obfuscation, leave-one-out."""
