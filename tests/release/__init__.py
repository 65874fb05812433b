"""Measurements that only the releases of belowline need: targets, ceilings, unseen obfuscation, leave-one-out."""
