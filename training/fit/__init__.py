"""Fine-tuning: from a recipe and a dataset to trained weights in a run directory."""
