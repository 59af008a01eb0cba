"""The commands, one file for each; what a user can cause ends in one line, in one place."""
