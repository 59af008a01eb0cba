"""Chat models: OpenAI-compatible clients, and the calls that keep, count and limit what is asked of them."""
