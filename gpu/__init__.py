"""PyTorch and Triton implementations: the in-house subject under test. Imports torch and triton only."""
