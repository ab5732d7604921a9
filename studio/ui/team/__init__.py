"""The Team tab."""
