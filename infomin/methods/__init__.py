"""Methods: how encoders learn from the views of a batch."""
