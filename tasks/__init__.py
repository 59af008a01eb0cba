"""Tasks: what is asked and how it is scored. All domain knowledge lives here, and nothing else does."""
