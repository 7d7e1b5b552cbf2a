"""Clients of external services: the user service, webhooks, Vault, JWKS."""
