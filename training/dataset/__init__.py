"""From corpora and decisions to one dataset: mix, augmentation, generators and checks."""
