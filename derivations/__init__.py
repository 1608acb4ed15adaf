"""The mathematics: definitions, statements and proofs, one topic a file."""
