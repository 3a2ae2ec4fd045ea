"""Training: the game that learns views, and pretraining on views."""
