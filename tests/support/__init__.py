"""What several test modules share: oracles, and functions for the doctor."""
